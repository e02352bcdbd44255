// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "device/control_thread.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "epoll.h"
#include "helper_thread.h"

namespace vrdma::device {
namespace {

// The tag of an epoll event is the descriptor.
void add(const FileDescriptor& epoll, int fd) {
    must_watch_writes(epoll, fd, static_cast<uint64_t>(fd), "control thread");
}

}  // namespace

ControlThread::ControlThread()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!epoll_ || !wake_) {
        throw std::system_error(errno, std::generic_category(), "control thread");
    }
    add(epoll_, wake_.get());
    thread_ = std::thread([this] { run(); });
}

ControlThread::~ControlThread() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    wake();
    thread_.join();
}

void ControlThread::wake() {
    ::eventfd_write(wake_.get(), 1);
}

void ControlThread::watch(int fd, Handler handler) {
    {
        const std::lock_guard lock(mutex_);
        add(epoll_, fd);
        // The guest kicked nobody for what it made available before its queue was started.
        watched_.insert_or_assign(fd, Watched{std::move(handler), true});
    }
    wake();
}

void ControlThread::call(int fd) {
    {
        const std::lock_guard lock(mutex_);
        if (const auto found = watched_.find(fd); found != watched_.end()) {
            found->second.called = true;
        }
    }
    wake();
}

void ControlThread::unwatch(int fd) {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [&] { return running_ != fd; });
    if (watched_.erase(fd) != 0) {
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    }
}

void ControlThread::run() {
    begin_helper_thread("vrdma-control");
    std::unique_lock lock(mutex_);
    while (!stop_) {
        const int timeout_ms = next_called() == watched_.end() ? -1 : 0;
        lock.unlock();
        std::array<epoll_event, 16> events;
        const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), timeout_ms);
        lock.lock();
        for (int i = 0; i < count; ++i) {
            // The descriptor may have been unwatched in the meantime, or is the one that wakes.
            const auto found =
                watched_.find(static_cast<int>(events[static_cast<size_t>(i)].data.u64));
            if (found != watched_.end()) {
                found->second.called = true;
            }
        }
        run_next(lock);
    }
}

// The first one after the handler that ran last, so that each gets its turn.
std::map<int, ControlThread::Watched>::iterator ControlThread::next_called() {
    const auto is_called = [](const auto& entry) { return entry.second.called; };
    const auto begin = watched_.upper_bound(last_);
    const auto found = std::find_if(begin, watched_.end(), is_called);
    if (found != watched_.end()) {
        return found;
    }
    const auto wrapped = std::find_if(watched_.begin(), begin, is_called);
    return wrapped == begin ? watched_.end() : wrapped;
}

void ControlThread::run_next(std::unique_lock<std::mutex>& lock) {
    const auto next = next_called();
    if (next == watched_.end() || stop_) {
        return;
    }
    next->second.called = false;
    running_ = last_ = next->first;
    lock.unlock();
    const bool again = next->second.handler();  // stays, as unwatch() waits
    lock.lock();
    next->second.called |= again;
    running_ = -1;
    idle_.notify_all();
}

}  // namespace vrdma::device
