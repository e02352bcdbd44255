// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "file_descriptor.h"

namespace vrdma::device {

// The thread of a virtual device that waits for the guest's kicks.  The thread serves the
// control queue, where a command may wait for the VMM, and refills event queues.
class ControlThread {
  public:
    using Handler = std::function<void()>;

    // Throws std::system_error when the kernel has no descriptor or thread left.
    ControlThread();
    ~ControlThread();
    ControlThread(const ControlThread&) = delete;
    ControlThread& operator=(const ControlThread&) = delete;

    // Calls `handler` on the thread when `fd`, an eventfd, is readable, and once right
    // away.  `fd` is borrowed until unwatch().  Throws std::system_error when the kernel
    // refuses to watch it.
    void watch(int fd, Handler handler);
    // Returns when the handler of `fd` no longer runs.  Does not wait for other handlers.
    void unwatch(int fd);

  private:
    void run();

    FileDescriptor epoll_;
    FileDescriptor wake_;
    std::atomic<bool> stop_ = false;
    std::mutex mutex_;  // guards what follows
    std::condition_variable idle_;
    std::unordered_map<int, Handler> handlers_;
    int running_ = -1;  // the descriptor whose handler runs, or -1
    std::thread thread_;
};

}  // namespace vrdma::device
