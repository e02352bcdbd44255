// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "file_descriptor.h"

namespace vrdma::vhost {

// An epoll loop for one thread.
class EventLoop {
  public:
    using Handler = std::function<void(uint32_t events)>;

    // Throws std::system_error when the kernel has no descriptor left.
    EventLoop();

    // Calls `handler` for `events` (EPOLLIN, ...) of `fd`, until remove(fd).  Throws
    // std::system_error for a descriptor that cannot be waited on.
    void add(int fd, uint32_t events, Handler handler);

    // Ends the calls for `fd`.  A handler may remove any descriptor, its own included.
    void remove(int fd);

    // Runs handlers until stop().
    void run();

    // Makes run() return, also one that has not begun.  Any thread.
    void stop();

  private:
    FileDescriptor epoll_;
    FileDescriptor stop_;
    std::unordered_map<int, std::shared_ptr<Handler>> handlers_;
};

}  // namespace vrdma::vhost
