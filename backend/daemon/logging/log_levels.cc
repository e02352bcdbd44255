// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/logging/log_levels.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "log_fields.h"

namespace vrdma::daemon {
namespace {

// Passes on what its level lets through, which the base class has, as lines of a subsystem.
class LevelSink final : public spdlog::sinks::sink {
  public:
    LevelSink(spdlog::sink_ptr target, std::string_view subsystem, spdlog::level::level_enum level)
        : target_(std::move(target)), subsystem_(subsystem) {
        set_level(level);
    }
    void log(const spdlog::details::log_msg& line) override {
        const LogScope scope({.subsystem = subsystem_});
        target_->log(line);
    }
    void flush() override { target_->flush(); }
    // The sink behind has a pattern of its own.
    void set_pattern(const std::string&) override {}
    void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

  private:
    const spdlog::sink_ptr target_;
    const std::string_view subsystem_;
};

}  // namespace

std::optional<spdlog::level::level_enum> parse_log_level(std::string_view text) {
    const auto level = spdlog::level::from_str(std::string(text));
    // The library takes what it does not know for "off".
    return level != spdlog::level::off || text == "off" ? std::optional(level) : std::nullopt;
}

LogLevels::LogLevels(const spdlog::sink_ptr& sink, spdlog::level::level_enum level) {
    for (const std::string_view subsystem : kSubsystems) {
        sinks_.push_back(std::make_shared<LevelSink>(sink, subsystem, level));
    }
}

size_t LogLevels::index_of(std::string_view subsystem) const {
    return static_cast<size_t>(std::ranges::find(kSubsystems, subsystem) - kSubsystems.begin());
}

std::shared_ptr<spdlog::logger> LogLevels::logger(std::string_view subsystem) const {
    auto logger = std::make_shared<spdlog::logger>(kLoggerName, sinks_.at(index_of(subsystem)));
    logger->set_level(spdlog::level::trace);
    logger->flush_on(spdlog::level::info);
    return logger;
}

spdlog::level::level_enum LogLevels::level(std::string_view subsystem) const {
    return sinks_.at(index_of(subsystem))->level();
}

void LogLevels::set(std::string_view subsystem, spdlog::level::level_enum level) {
    sinks_.at(index_of(subsystem))->set_level(level);
}

void LogLevels::set_all(spdlog::level::level_enum level) {
    for (const auto& sink : sinks_) {
        sink->set_level(level);
    }
}

}  // namespace vrdma::daemon
