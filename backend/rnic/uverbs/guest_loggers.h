// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <spdlog/logger.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "rate_limited_logger.h"

namespace vrdma::uverbs {

// The loggers of the guests' ports.  A guest can have its port made anew as often as it resets
// its device, and its lines stay limited.  Any thread.
class GuestLoggers {
  public:
    explicit GuestLoggers(std::shared_ptr<spdlog::logger> logger) : logger_(std::move(logger)) {}

    std::shared_ptr<spdlog::logger> of(const std::string& guest) {
        const std::lock_guard lock(mutex_);
        auto& logger = loggers_[guest];
        if (logger == nullptr) {
            logger = rate_limited(*logger_, guest);
        }
        return logger;
    }

  private:
    const std::shared_ptr<spdlog::logger> logger_;
    std::mutex mutex_;                                                // guards what follows
    std::map<std::string, std::shared_ptr<spdlog::logger>> loggers_;  // by the guest's name
};

}  // namespace vrdma::uverbs
