// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/control/control_methods.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <iterator>
#include <memory>
#include <utility>

#include "daemon/control/guest_methods.h"
#include "daemon/rnic/rnic_choice.h"
#include "daemon/server/guest_document.h"
#include "daemon/version.h"
#include "log_fields.h"

namespace vrdma::daemon {
namespace {

using control::Access;
using control::Answer;
using control::Method;
using control::refuse;
using control::Session;
using control::Type;
using nlohmann::json;

// Tells a client which of `methods` it may call.
Answer version(const Controlled& controlled, const std::vector<Method>& methods,
               const Session& session) {
    json names = json::array();
    for (const Method& method : methods) {
        if (method.access == Access::kReader || session.access == Access::kAdministrator) {
            names.push_back(method.name);
        }
    }
    return json{{"version", daemon::version()},
                {"compiler", __VERSION__},
                {"protocol", control::kProtocolVersion},
                {"access", to_string(session.access)},
                {"capabilities", {{"methods", names}, {"events", kEventKinds}}},
                {"taken_over", controlled.server.taken_over()}};
}

Answer list(const Controlled& controlled) {
    json guests = json::array();
    for (const json& guest : controlled.server.guests()) {
        guests.push_back({{"name", guest.at("name")},
                          {"connected", guest.at("connected")},
                          {"drained", guest.at("drained")},
                          {"socket", guest.at("socket")}});
    }
    return json{{"guests", guests}};
}

Answer show(const Controlled& controlled, const json& parameters) {
    const std::string name = parameters.at("guest");
    auto guest = controlled.server.guest(name);
    return guest ? Answer(std::move(*guest)) : unknown_guest(controlled.server, name);
}

// The time is for the rates that a client makes of two answers.
Answer objects(const Controlled& controlled, const json& parameters) {
    const std::string name = parameters.at("guest");
    auto found = controlled.server.objects(name);
    if (!found) {
        return unknown_guest(controlled.server, name);
    }
    return json{{"name", name}, {"objects", std::move(*found)}};
}

Answer stats(const Controlled& controlled) {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return json{
        {"time_ns", std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()},
        {"bucket_bounds_ns", device::VerbFigures::kBounds},
        {"rnic", controlled.server.rnic()},
        {"guests", controlled.server.guests()},
    };
}

Answer limits(const Controlled& controlled, const json& parameters) {
    const std::string wanted = parameters.value("guest", "");
    json guests = json::array();
    for (const auto& guest : controlled.server.limits()) {
        if (!parameters.contains("guest") || guest.name == wanted) {
            guests.push_back({{"name", guest.name}, {"limits", limits_document(guest.limits)}});
        }
    }
    if (guests.empty() && parameters.contains("guest")) {
        return unknown_guest(controlled.server, wanted);
    }
    return json{{"guests", guests}};
}

tl::expected<void, control::Error> check_limit(const std::string& key, const json& value) {
    const auto row =
        std::ranges::find(device::kLimitKeys, std::string_view(key),
                          [](const auto& known) { return std::string_view(known.key); });
    if (row == std::end(device::kLimitKeys)) {
        std::vector<std::string_view> keys;
        std::ranges::transform(device::kLimitKeys, std::back_inserter(keys),
                               &device::LimitKey::key);
        return refuse(
            control::kInvalidParameters,
            fmt::format("there is no limit '{}'; there are {}", key, fmt::join(keys, ", ")));
    }
    if (!value.is_number_unsigned() || value.get<uint64_t>() < row->min_limit ||
        value.get<uint64_t>() > row->max_limit) {
        return refuse(control::kInvalidParameters,
                      fmt::format("'{}' must be an integer from {} to {}", key, row->min_limit,
                                  row->max_limit));
    }
    return {};
}

// What the RNIC cannot limit is refused, as in the file.
tl::expected<void, control::Error> check_against_rnic(const Config& config, const std::string& name,
                                                      const device::Limits& limits) {
    Config wanted;
    wanted.rnic = config.rnic;
    wanted.vms.emplace_back();
    wanted.vms.back().name = name;
    wanted.vms.back().limits = limits;
    try {
        check_limits(wanted);
    } catch (const ConfigError& error) {
        return refuse(control::kRefused, error.what());
    }
    return {};
}

Answer set_limits(const Controlled& controlled, const json& parameters) {
    const std::string name = parameters.at("guest");
    const json& wanted = parameters.at("limits");
    for (const auto& [key, value] : wanted.items()) {
        if (auto checked = check_limit(key, value); !checked) {
            return tl::unexpected(std::move(checked.error()));
        }
    }
    tl::expected<void, control::Error> checked;
    const bool found = controlled.server.change_limits(name, [&](device::Limits& limits) {
        device::Limits changed = limits;
        for (const device::LimitKey& row : device::kLimitKeys) {
            if (wanted.contains(row.key)) {
                changed.*row.limit = wanted.at(row.key).get<uint64_t>();
            }
        }
        checked = check_against_rnic(controlled.config, name, changed);
        if (checked) {
            limits = changed;
        }
    });
    if (!found) {
        return unknown_guest(controlled.server, name);
    }
    if (!checked) {
        return tl::unexpected(std::move(checked.error()));
    }
    const LogScope scope({.guest = name});
    controlled.levels.logger("daemon")->info("{}: limits by the control socket: {}", name,
                                             wanted.dump());
    return limits(controlled, {{"guest", name}});
}

Answer reload(const Controlled& controlled) {
    const Reloader::Outcome outcome = controlled.reloader.reload("reload");
    if (!outcome.taken) {
        return refuse(control::kRefused, outcome.sentence);
    }
    return json{{"message", outcome.sentence},
                {"unchanged", outcome.unchanged},
                {"added", outcome.changes.added},
                {"removed", outcome.changes.removed},
                {"renewed", outcome.changes.renewed}};
}

Answer log_level(const Controlled& controlled) {
    json levels = json::object();
    for (const std::string_view subsystem : LogLevels::kSubsystems) {
        const auto level = spdlog::level::to_string_view(controlled.levels.level(subsystem));
        levels[std::string(subsystem)] = std::string(level.data(), level.size());
    }
    return json{{"subsystems", levels}};
}

Answer set_log_level(const Controlled& controlled, const json& parameters) {
    const std::string text = parameters.at("level");
    const auto level = parse_log_level(text);
    if (!level) {
        return refuse(control::kInvalidParameters,
                      fmt::format("unknown log level '{}'; there are trace, debug, info, warning, "
                                  "error, critical, off",
                                  text));
    }
    const auto logger = controlled.levels.logger("daemon");
    if (!parameters.contains("subsystem")) {
        controlled.levels.set_all(*level);
        logger->info("log level by the control socket: {}", text);
        return log_level(controlled);
    }
    const std::string subsystem = parameters.at("subsystem");
    if (std::ranges::find(LogLevels::kSubsystems, subsystem) == LogLevels::kSubsystems.end()) {
        return refuse(control::kInvalidParameters,
                      fmt::format("unknown subsystem '{}'; there are {}", subsystem,
                                  fmt::join(LogLevels::kSubsystems, ", ")));
    }
    controlled.levels.set(subsystem, *level);
    logger->info("log level of {} by the control socket: {}", subsystem, text);
    return log_level(controlled);
}

Answer events(const Controlled& controlled, const json& parameters, Session& session) {
    session.follows = parameters.value("follow", session.follows);
    return json{{"events", controlled.history.all()}, {"follow", session.follows}};
}

}  // namespace

Server::Watcher watcher_of(control::EventQueue& events) {
    return [&events](std::string_view kind, const std::string& guest, const json& details) {
        events.push(kind, guest, details);
    };
}

void LimitWatch::look() {
    server_.limit_signal().lower();
    for (const Server::GuestLimits& guest : server_.limits()) {
        for (const auto& limit : guest.limits) {
            uint64_t& seen = seen_[guest.name][limit.key];
            const uint64_t reached = limit.reached.value_or(0);
            if (reached < seen) {
                seen = 0;  // another guest of this name
            }
            if (reached == seen) {
                continue;
            }
            events_.push(event_kind::kLimitReached, guest.name,
                         {{"key", limit.key},
                          {"limit", limit.limit},
                          {"times", reached - std::exchange(seen, reached)}});
        }
    }
}

std::vector<Method> control_methods(const Controlled& controlled) {
    constexpr Access kReader = Access::kReader;
    constexpr Access kAdministrator = Access::kAdministrator;
    constexpr bool kRequired = true;
    const auto plain = [controlled](Answer (*method)(const Controlled&)) {
        return [=](const json&, Session&) { return method(controlled); };
    };
    const auto with_parameters = [controlled](Answer (*method)(const Controlled&, const json&)) {
        return [=](const json& parameters, Session&) { return method(controlled, parameters); };
    };
    std::vector<Method> methods{
        {"version", kReader, {}, {}},  // knows the others, see below
        {"list", kReader, {}, plain(list)},
        {"show", kReader, {{"guest", Type::kString, kRequired}}, with_parameters(show)},
        {"objects", kReader, {{"guest", Type::kString, kRequired}}, with_parameters(objects)},
        {"stats", kReader, {}, plain(stats)},
        {"limits", kReader, {{"guest", Type::kString}}, with_parameters(limits)},
        {"set_limits",
         kAdministrator,
         {{"guest", Type::kString, kRequired}, {"limits", Type::kObject, kRequired}},
         with_parameters(set_limits)},
        {"log_level", kReader, {}, plain(log_level)},
        {"set_log_level",
         kAdministrator,
         {{"level", Type::kString, kRequired}, {"subsystem", Type::kString}},
         with_parameters(set_log_level)},
        {"reload", kAdministrator, {}, plain(reload)},
        {"add",
         kAdministrator,
         {{"guest", Type::kString, kRequired}, {"configuration", Type::kObject, kRequired}},
         with_parameters(add_guest)},
        {"remove",
         kAdministrator,
         {{"guest", Type::kString, kRequired}},
         with_parameters(remove_guest)},
        {"drain",
         kAdministrator,
         {{"guest", Type::kString, kRequired}, {"off", Type::kBoolean}},
         with_parameters(drain_guest)},
        {"events",
         kReader,
         {{"follow", Type::kBoolean}},
         [controlled](const json& parameters, Session& session) {
             return events(controlled, parameters, session);
         }},
    };
    methods.front().handler = [controlled, known = methods](const json&, Session& session) {
        return version(controlled, known, session);
    };
    return methods;
}

}  // namespace vrdma::daemon
