// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "device/events/event_thread.h"

#include <sys/epoll.h>

#include <array>

#include "epoll.h"
#include "helper_thread.h"

namespace vrdma::device {
namespace {

// The tag of an epoll event is this one, or a virtqueue's index.
constexpr uint64_t kWakeTag = UINT64_MAX;

void add(const FileDescriptor& epoll, int fd, uint64_t tag) {
    must_watch_writes(epoll, fd, tag, "thread for events");
}

}  // namespace

EventThread::EventThread(EventDelivery& delivery)
    : delivery_(delivery), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    add(epoll_, delivery_.wake_fd(), kWakeTag);
    thread_ = std::thread([this] { run(); });
}

EventThread::~EventThread() {
    stop_.store(true, std::memory_order_seq_cst);
    delivery_.wake();
    thread_.join();
}

void EventThread::start_queue(uint16_t index, vhost::Virtqueue& queue) {
    add(epoll_, queue.kick_fd(), index);
    delivery_.set_virtqueue(index, &queue);
}

void EventThread::stop_queue(uint16_t index, vhost::Virtqueue& queue) {
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, queue.kick_fd(), nullptr);
    delivery_.set_virtqueue(index, nullptr);
}

void EventThread::run() {
    begin_helper_thread("vrdma-events");
    while (!stop_.load(std::memory_order_relaxed)) {
        delivery_.deliver();
        if (delivery_.begin_sleep()) {
            sleep();
            delivery_.end_sleep();
        }
    }
}

void EventThread::sleep() {
    std::array<epoll_event, 16> events;
    const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), -1);
    for (int i = 0; i < count; ++i) {
        const uint64_t tag = events[static_cast<size_t>(i)].data.u64;
        if (tag != kWakeTag) {
            delivery_.kicked(static_cast<uint16_t>(tag));
        }
    }
}

}  // namespace vrdma::device
