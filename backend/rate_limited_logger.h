// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <spdlog/logger.h>
#include <spdlog/sinks/sink.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "log_fields.h"

namespace vrdma {

// Passes lines on to other sinks: `burst` of them at once, and one a second in the long run, with
// the number of lines that were left out before it.  The lines are about one guest.
class RateLimitedSink final : public spdlog::sinks::sink {
  public:
    // An empty name of a guest: the lines are about none.
    RateLimitedSink(std::vector<spdlog::sink_ptr> sinks, std::string guest, unsigned burst)
        : sinks_(std::move(sinks)),
          guest_(std::move(guest)),
          ahead_(kInterval * (std::max(burst, 1U) - 1)) {}

    void log(const spdlog::details::log_msg& line) override {
        if (std::ranges::none_of(sinks_,
                                 [&](auto& sink) { return sink->should_log(line.level); })) {
            return;  // it does not count
        }
        const auto now = Clock::now();
        uint64_t left_out = 0;
        {
            const std::lock_guard lock(mutex_);
            if (now < next_ - ahead_) {
                ++left_out_;
                return;
            }
            next_ = std::max(now, next_) + kInterval;
            left_out = std::exchange(left_out_, 0);
        }
        spdlog::details::log_msg passed = line;
        std::string text;
        if (left_out != 0) {
            text =
                fmt::format("{} ({} more lines left out)",
                            std::string_view(line.payload.data(), line.payload.size()), left_out);
            passed.payload = text;
        }
        const LogScope scope({.guest = guest_});
        for (const spdlog::sink_ptr& sink : sinks_) {
            if (sink->should_log(line.level)) {
                sink->log(passed);
            }
        }
    }
    void flush() override {
        for (const spdlog::sink_ptr& sink : sinks_) {
            sink->flush();
        }
    }
    // The sinks behind have patterns of their own.
    void set_pattern(const std::string&) override {}
    void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

  private:
    using Clock = std::chrono::steady_clock;
    static constexpr Clock::duration kInterval = std::chrono::seconds(1);

    const std::vector<spdlog::sink_ptr> sinks_;
    const std::string guest_;
    const Clock::duration ahead_;  // how much earlier than `next_` a line may come
    std::mutex mutex_;             // guards what follows
    Clock::time_point next_{};     // when one line a second has made room for the next one
    uint64_t left_out_ = 0;
};

// A logger for all that one virtual machine makes this process say, by its guest or its VMM.  It
// is made once for the machine, and outlives connections, sessions and ports: otherwise each new
// one would have lines of its own.  The burst is what a VMM that comes, is refused and goes says
// of itself, several times over.
inline std::shared_ptr<spdlog::logger> rate_limited(spdlog::logger& logger, std::string guest,
                                                    unsigned burst = 20) {
    auto limited = logger.clone(logger.name());
    limited->sinks() = {std::make_shared<RateLimitedSink>(logger.sinks(), std::move(guest), burst)};
    return limited;
}

}  // namespace vrdma
