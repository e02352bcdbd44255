// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "daemon/service/service_manager.h"

namespace vrdma::daemon {

// Tells the service manager again and again that the daemon serves, by a thread of its own, for as
// long as the object exists.  Does nothing when the manager does not want to know.
class Watchdog {
  public:
    // `serves` returns when what all guests share has shown that it serves, and hangs when that
    // hangs: then the manager hears nothing more and kills the process.
    Watchdog(const ServiceManager& manager, std::function<void()> serves);

    // Waits for a `serves` that has begun.
    ~Watchdog();
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;

  private:
    void run();

    const ServiceManager& manager_;
    const std::function<void()> serves_;
    std::mutex mutex_;
    std::condition_variable ending_;
    bool end_ = false;  // under mutex_
    std::thread thread_;
};

}  // namespace vrdma::daemon
