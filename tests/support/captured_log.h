// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <spdlog/logger.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/sinks/ringbuffer_sink.h>

#include <memory>
#include <string>

namespace vrdma::test {

// A logger that remembers what was logged, the last ten thousand lines of it.  Thread-safe.
class CapturedLog {
  public:
    const std::shared_ptr<spdlog::logger>& logger() const { return logger_; }

    // How many lines contain `text`.
    size_t count(const std::string& text) const {
        size_t result = 0;
        for (const auto& line : sink_->last_formatted()) {
            result += line.find(text) != std::string::npos ? 1 : 0;
        }
        return result;
    }

    // All lines, each with its end.
    std::string str() const {
        std::string result;
        for (const auto& line : sink_->last_formatted()) {
            result += line;
        }
        return result;
    }

  private:
    static constexpr size_t kLines = 10000;
    std::shared_ptr<spdlog::sinks::ringbuffer_sink_mt> sink_ =
        std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(kLines);
    std::shared_ptr<spdlog::logger> logger_ = std::make_shared<spdlog::logger>("test", sink_);
};

// A logger for tests that do not look at the log.
inline std::shared_ptr<spdlog::logger> silent_logger() {
    return std::make_shared<spdlog::logger>("test",
                                            std::make_shared<spdlog::sinks::null_sink_mt>());
}

}  // namespace vrdma::test
