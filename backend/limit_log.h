// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "rate_limited_log.h"
#include "result.h"

namespace vrdma {

// Names the limits that a guest reaches, in the log.  Any thread.
class LimitLog {
  public:
    LimitLog(std::string guest, std::shared_ptr<spdlog::logger> logger)
        : guest_(std::move(guest)), log_(std::move(logger)) {}

    // Logs which limit is reached.  Returns `error`, which the verb gets.
    template <typename... Args>
    Errno reached(Errno error, fmt::format_string<Args...> limit, Args&&... args) {
        const std::lock_guard lock(mutex_);
        log_.warn("{}: limit reached: {}; the verb gets {}", guest_,
                  fmt::format(limit, std::forward<Args>(args)...), to_string(error));
        return error;
    }

  private:
    const std::string guest_;
    std::mutex mutex_;
    RateLimitedLog log_;  // under mutex_
};

}  // namespace vrdma
