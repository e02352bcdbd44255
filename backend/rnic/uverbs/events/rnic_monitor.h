// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <functional>
#include <memory>
#include <thread>

#include "file_descriptor.h"
#include "rnic/rnic.h"

namespace vrdma::uverbs {

// Tells that the kernel is taking an RNIC away.  One thread at a time.
class RemovalSource {
  public:
    virtual ~RemovalSource() = default;
    // Becomes readable when removed() is worth a call.
    virtual int fd() const = 0;
    virtual bool removed() = 0;
};

// Watches, on a thread of its own, what happens to an RNIC as a whole.
class RnicMonitor {
  public:
    // Called from the monitor's thread.
    struct Handlers {
        std::function<void(rnic::AsyncEventType)> port_event;  // for events of `host_port`
        std::function<void()> gid_change;
        std::function<void()> removed;  // called once; no other call comes after it
    };

    // `async_events` is the event file of a context of `host_port`'s RNIC.  Throws
    // std::system_error when the kernel has no thread or descriptor left.
    RnicMonitor(FileDescriptor async_events, std::unique_ptr<RemovalSource> removal,
                uint32_t host_port, Handlers handlers);
    ~RnicMonitor();
    RnicMonitor(const RnicMonitor&) = delete;
    RnicMonitor& operator=(const RnicMonitor&) = delete;

  private:
    void run();
    bool read_events();

    FileDescriptor async_events_;
    std::unique_ptr<RemovalSource> removal_;
    const uint32_t host_port_;
    const Handlers handlers_;
    FileDescriptor stop_;
    std::thread thread_;  // last: it uses all of the above
};

}  // namespace vrdma::uverbs
