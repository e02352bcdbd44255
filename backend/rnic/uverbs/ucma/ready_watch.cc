// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/ucma/ready_watch.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace vrdma::uverbs {
namespace {

// No file has this name: names of files have 32 bits.
constexpr uint64_t kStop = UINT64_MAX;

epoll_event once(uint64_t name) {
    return {.events = EPOLLIN | EPOLLONESHOT, .data = {.u64 = name}};
}

}  // namespace

ReadyWatch::ReadyWatch(Report report)
    : report_(std::move(report)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
    auto event = once(kStop);
    if (!epoll_ || !stop_ || ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, stop_.get(), &event) != 0) {
        throw std::system_error(errno, std::generic_category(), "connection manager");
    }
    thread_ = std::thread([this] { run(); });
}

ReadyWatch::~ReadyWatch() {
    ::eventfd_write(stop_.get(), 1);
    thread_.join();
}

Result<void> ReadyWatch::add(int fd, uint32_t name, Begin begin) {
    const std::lock_guard lock(mutex_);
    auto event = once(name);
    if (begin == Begin::kReported) {
        event.events = EPOLLONESHOT;
    }
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
        return fail(errno);
    }
    if (begin == Begin::kReported) {
        reported_.insert(name);
    } else {
        reported_.erase(name);
    }
    return {};
}

void ReadyWatch::arm(int fd, uint32_t name) {
    const std::lock_guard lock(mutex_);
    reported_.erase(name);
    auto event = once(name);
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void ReadyWatch::remove(int fd, uint32_t name) {
    const std::lock_guard lock(mutex_);
    reported_.erase(name);
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

bool ReadyWatch::is_reported(uint32_t name) const {
    const std::lock_guard lock(mutex_);
    return reported_.contains(name);
}

void ReadyWatch::run() {
    std::array<epoll_event, 16> events;
    for (;;) {
        const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), -1);
        if (count < 0 && errno != EINTR) {
            return;
        }
        for (int i = 0; i < count; ++i) {
            if (events[i].data.u64 == kStop) {
                return;
            }
            const auto name = static_cast<uint32_t>(events[i].data.u64);
            // Only what has been reported counts as reported: whoever sees it so finds the report.
            const std::lock_guard lock(mutex_);
            report_(name);
            reported_.insert(name);
        }
    }
}

}  // namespace vrdma::uverbs
