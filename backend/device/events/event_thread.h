// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

#include "device/events/event_delivery.h"
#include "file_descriptor.h"
#include "vhost/rings/virtqueue.h"

namespace vrdma::device {

// The thread of a virtual device that brings events to the guest.  It is another one than the
// control thread, whose commands may take long.
class EventThread {
  public:
    // Throws std::system_error when the kernel has no descriptor or thread left.
    explicit EventThread(EventDelivery& delivery);
    ~EventThread();
    EventThread(const EventThread&) = delete;
    EventThread& operator=(const EventThread&) = delete;

    // Virtqueue `index` runs, or has stopped.  Once stop_queue() returns the thread does not touch
    // `queue`.  start_queue() throws std::system_error when the kernel refuses to watch for kicks.
    void start_queue(uint16_t index, vhost::Virtqueue& queue);
    void stop_queue(uint16_t index, vhost::Virtqueue& queue);

  private:
    void run();
    void sleep();

    EventDelivery& delivery_;
    FileDescriptor epoll_;
    std::atomic<bool> stop_ = false;
    std::thread thread_;  // last: it uses all of the above
};

}  // namespace vrdma::device
