// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/service/watchdog.h"

#include <utility>

#include "helper_thread.h"

namespace vrdma::daemon {

Watchdog::Watchdog(const ServiceManager& manager, std::function<void()> serves)
    : manager_(manager), serves_(std::move(serves)) {
    if (manager_.watchdog()) {
        thread_ = std::thread([this] { run(); });
    }
}

Watchdog::~Watchdog() {
    if (!thread_.joinable()) {
        return;
    }
    {
        const std::lock_guard lock(mutex_);
        end_ = true;
    }
    ending_.notify_all();
    thread_.join();
}

void Watchdog::run() {
    begin_helper_thread("vrdma-watchdog");
    // Half of the limit, as sd_watchdog_enabled(3) advises.
    const auto interval = *manager_.watchdog() / 2;
    std::unique_lock lock(mutex_);
    while (!end_) {
        lock.unlock();
        serves_();
        manager_.alive();
        lock.lock();
        ending_.wait_for(lock, interval, [this] { return end_; });
    }
}

}  // namespace vrdma::daemon
