// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "limit_counter.h"
#include "rate_limited_log.h"
#include "result.h"

namespace vrdma {

// Names the limits that a guest reaches, in the log.  Any thread.
class LimitLog {
  public:
    // `signal` is raised at each limit that is reached; null for none.
    LimitLog(std::string guest, std::shared_ptr<spdlog::logger> logger,
             std::shared_ptr<LimitSignal> signal = nullptr)
        : guest_(std::move(guest)), signal_(std::move(signal)), log_(std::move(logger)) {}

    const std::shared_ptr<LimitSignal>& signal() const { return signal_; }

    // Logs which limit is reached.  Returns `error`, which the verb gets.
    template <typename... Args>
    Errno reached(Errno error, fmt::format_string<Args...> limit, Args&&... args) {
        const std::lock_guard lock(mutex_);
        log_.warn(error, "{}: limit reached: {}; the verb gets {}", guest_,
                  fmt::format(limit, std::forward<Args>(args)...), to_string(error));
        return error;
    }

  private:
    const std::string guest_;
    const std::shared_ptr<LimitSignal> signal_;
    std::mutex mutex_;
    RateLimitedLog log_;  // under mutex_
};

}  // namespace vrdma
