// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "rate_limited_log.h"
#include "result.h"

namespace vrdma::device {

// Names the limits that a guest reaches, in the log.
class LimitLog {
  public:
    LimitLog(std::string guest, std::shared_ptr<spdlog::logger> logger)
        : guest_(std::move(guest)), log_(std::move(logger)) {}

    // Logs which limit is reached.  Returns EDQUOT, which the verb gets.
    template <typename... Args>
    Errno reached(fmt::format_string<Args...> limit, Args&&... args) {
        constexpr Errno kError{EDQUOT};
        log_.warn("{}: limit reached: {}; the verb gets {}", guest_,
                  fmt::format(limit, std::forward<Args>(args)...), to_string(kError));
        return kError;
    }

  private:
    const std::string guest_;
    RateLimitedLog log_;
};

}  // namespace vrdma::device
