// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "device/control_thread.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace vrdma::device {
namespace {

[[noreturn]] void throw_errno(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

ControlThread::ControlThread()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = wake_.get()}};
    if (!epoll_ || !wake_ || ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0) {
        throw_errno("control thread");
    }
    thread_ = std::thread([this] { run(); });
}

ControlThread::~ControlThread() {
    stop_.store(true, std::memory_order_relaxed);
    ::eventfd_write(wake_.get(), 1);
    thread_.join();
}

void ControlThread::watch(int fd, Handler handler) {
    const std::lock_guard lock(mutex_);
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
        throw_errno("control thread: watch");
    }
    handlers_.emplace(fd, std::move(handler));
    // The guest kicked nobody for what it made available before its queue was started.
    ::eventfd_write(fd, 1);
}

void ControlThread::unwatch(int fd) {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [&] { return running_ != fd; });
    handlers_.erase(fd);
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void ControlThread::run() {
    std::array<epoll_event, 16> events;
    while (true) {
        const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), -1);
        if (stop_.load(std::memory_order_relaxed)) {
            return;
        }
        for (int i = 0; i < count; ++i) {
            std::unique_lock lock(mutex_);
            // The descriptor may have been unwatched since epoll_wait().
            const auto found = handlers_.find(events[i].data.fd);
            if (found == handlers_.end()) {
                continue;
            }
            running_ = found->first;
            const Handler& handler = found->second;  // stays, as unwatch() waits
            lock.unlock();
            handler();
            lock.lock();
            running_ = -1;
            lock.unlock();
            idle_.notify_all();
        }
    }
}

}  // namespace vrdma::device
