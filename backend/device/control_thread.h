// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "file_descriptor.h"

namespace vrdma::device {

// The thread of a virtual device that executes the guest's commands, which may take long and may
// wait for the VMM.
class ControlThread {
  public:
    // Returns true to be called again when the other handlers have had their turn.
    using Handler = std::function<bool()>;

    // Throws std::system_error when the kernel has no descriptor or thread left.
    ControlThread();
    ~ControlThread();
    ControlThread(const ControlThread&) = delete;
    ControlThread& operator=(const ControlThread&) = delete;

    // Calls `handler` on the thread each time that `fd`, an eventfd, is written to, and once right
    // away.  `fd` is borrowed until unwatch(), and never read: it may be the VMM's, which can make
    // reading block.  Throws std::system_error when the kernel refuses to watch it.
    void watch(int fd, Handler handler);
    // Has the handler of `fd` called as if `fd` had been written to.
    void call(int fd);
    // Returns when the handler of `fd` no longer runs.  Does not wait for other handlers.
    void unwatch(int fd);

  private:
    struct Watched {
        Handler handler;
        bool called = false;  // the handler is to be called
    };

    void run();
    void run_next(std::unique_lock<std::mutex>& lock);
    std::map<int, Watched>::iterator next_called();
    void wake();

    FileDescriptor epoll_;
    FileDescriptor wake_;
    std::mutex mutex_;  // guards what follows
    std::condition_variable idle_;
    std::map<int, Watched> watched_;
    bool stop_ = false;
    int running_ = -1;  // the descriptor whose handler runs, or -1
    int last_ = -1;     // the descriptor whose handler ran last
    std::thread thread_;
};

}  // namespace vrdma::device
