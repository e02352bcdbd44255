// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <spdlog/spdlog.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "log_fields.h"
#include "result.h"

namespace vrdma {

// Writes lines that a guest can provoke as often as it likes: at most one a second, with the
// number of lines that were left out before it.
class RateLimitedLog {
  public:
    explicit RateLimitedLog(std::shared_ptr<spdlog::logger> logger) : logger_(std::move(logger)) {}

    template <typename... Args>
    void warn(fmt::format_string<Args...> format, Args&&... args) {
        write(spdlog::level::warn, format, std::forward<Args>(args)...);
    }

    // A line about an errno that a verb gets.
    template <typename... Args>
    void warn(Errno error, fmt::format_string<Args...> format, Args&&... args) {
        const LogScope scope({.error = to_int(error)});
        warn(format, std::forward<Args>(args)...);
    }

    template <typename... Args>
    void info(fmt::format_string<Args...> format, Args&&... args) {
        write(spdlog::level::info, format, std::forward<Args>(args)...);
    }

  private:
    template <typename... Args>
    void write(spdlog::level::level_enum level, fmt::format_string<Args...> format,
               Args&&... args) {
        const auto now = std::chrono::steady_clock::now();
        if (now < next_) {
            ++left_out_;
            return;
        }
        next_ = now + std::chrono::seconds(1);
        auto message = fmt::format(format, std::forward<Args>(args)...);
        if (left_out_ != 0) {
            message += fmt::format(" ({} more lines left out)", std::exchange(left_out_, 0));
        }
        logger_->log(level, message);
    }

    std::shared_ptr<spdlog::logger> logger_;
    std::chrono::steady_clock::time_point next_{};
    uint64_t left_out_ = 0;
};

}  // namespace vrdma
