// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/iw_cm/connect_threads.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <ctime>
#include <system_error>

namespace vrdma::uverbs {
namespace {

// This signal is ignored by default, and nobody else in this process uses it.
constexpr int kInterrupt = SIGURG;

// A signal may come just before the system call that it is meant for, so it is repeated.
constexpr long kRepeatNs = 20'000'000;
constexpr long kNsPerMs = 1'000'000;

void do_nothing(int) {}

// Installs a handler without SA_RESTART, so that the signal ends system calls.
void make_interruptible() {
    struct sigaction action {};
    action.sa_handler = do_nothing;
    ::sigaction(kInterrupt, &action, nullptr);
}

}  // namespace

// Interrupts the thread that made it.
class ConnectThreads::Interrupter {
  public:
    Interrupter() {
        sigset_t signals;
        ::sigemptyset(&signals);
        ::sigaddset(&signals, kInterrupt);
        ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
        sigevent event{};
        event.sigev_notify = SIGEV_THREAD_ID;
        event.sigev_signo = kInterrupt;
        event._sigev_un._tid = ::gettid();
        if (::timer_create(CLOCK_MONOTONIC, &event, &timer_) != 0) {
            throw std::system_error(errno, std::generic_category(), "timer_create");
        }
    }
    ~Interrupter() { ::timer_delete(timer_); }
    Interrupter(const Interrupter&) = delete;
    Interrupter& operator=(const Interrupter&) = delete;

    void after(std::chrono::milliseconds delay) {
        const auto count = delay.count();
        set({.tv_sec = count / 1000, .tv_nsec = count % 1000 * kNsPerMs + 1});
    }
    void never() { set({}); }

  private:
    void set(timespec first) {
        const itimerspec times{.it_interval = {.tv_sec = 0, .tv_nsec = kRepeatNs},
                               .it_value = first};
        ::timer_settime(timer_, 0, &times, nullptr);
    }

    timer_t timer_{};
};

ConnectThreads::ConnectThreads(std::chrono::milliseconds limit) : limit_(limit) {
    make_interruptible();
}

ConnectThreads::~ConnectThreads() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
        waiting_.clear();
        for (const Running& job : running_) {
            job.interrupter->after(std::chrono::milliseconds(0));
        }
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) {
        thread.join();
    }
}

void ConnectThreads::start(uint64_t name, Job job) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({name, std::move(job)});
    if (waiting_.size() <= idle_ || threads_.size() >= kMaxThreads) {
        changed_.notify_one();
        return;
    }
    try {
        threads_.emplace_back([this] { run(); });
    } catch (const std::system_error&) {
        if (threads_.empty()) {
            waiting_.pop_back();
            throw;
        }
    }
}

void ConnectThreads::interrupt(uint64_t name) {
    const std::lock_guard lock(mutex_);
    std::erase_if(waiting_, [&](const Waiting& job) { return job.name == name; });
    const auto job = std::ranges::find(running_, name, &Running::name);
    if (job != running_.end()) {
        job->interrupter->after(std::chrono::milliseconds(0));
    }
}

void ConnectThreads::run() {
    Interrupter interrupter;
    std::unique_lock lock(mutex_);
    while (!stop_) {
        run_jobs(lock, interrupter);
        ++idle_;
        changed_.wait(lock, [&] { return stop_ || !waiting_.empty(); });
        --idle_;
    }
}

void ConnectThreads::run_jobs(std::unique_lock<std::mutex>& lock, Interrupter& interrupter) {
    while (!stop_ && !waiting_.empty()) {
        Waiting next = std::move(waiting_.front());
        waiting_.pop_front();
        const auto entry = running_.insert(running_.end(), {next.name, &interrupter});
        interrupter.after(limit_);
        lock.unlock();
        next.job();
        next.job = nullptr;
        lock.lock();
        interrupter.never();
        running_.erase(entry);
    }
}

}  // namespace vrdma::uverbs
