// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

namespace vrdma::uverbs {

// Threads for calls that block in the kernel until a peer answers.  A signal interrupts a call
// (EINTR) that lasts longer than the limit, or that nobody waits for any more.
class ConnectThreads {
  public:
    using Job = std::function<void()>;

    explicit ConnectThreads(std::chrono::milliseconds limit = std::chrono::seconds(10));
    // Interrupts the jobs that run and forgets the jobs that wait.
    ~ConnectThreads();
    ConnectThreads(const ConnectThreads&) = delete;
    ConnectThreads& operator=(const ConnectThreads&) = delete;

    // Runs the job soon, at most kMaxThreads at a time.  `name` is for interrupt().  Throws
    // std::system_error when the kernel has no thread for the first one.
    void start(uint64_t name, Job job);
    // Ends the job's system call if the job runs, and forgets the job if it waits.
    void interrupt(uint64_t name);

    static constexpr size_t kMaxThreads = 8;

  private:
    class Interrupter;
    struct Waiting {
        uint64_t name = 0;
        Job job;
    };
    struct Running {
        uint64_t name = 0;
        Interrupter* interrupter = nullptr;
    };

    void run();
    void run_jobs(std::unique_lock<std::mutex>& lock, Interrupter& interrupter);

    const std::chrono::milliseconds limit_;
    std::mutex mutex_;  // guards the members that follow
    std::condition_variable changed_;
    std::deque<Waiting> waiting_;
    std::list<Running> running_;
    std::list<std::thread> threads_;
    size_t idle_ = 0;
    bool stop_ = false;
};

}  // namespace vrdma::uverbs
