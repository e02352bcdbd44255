// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/control/guest_methods.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <exception>
#include <string>
#include <utility>

#include "log_fields.h"

namespace vrdma::daemon {
namespace {

using control::Answer;
using control::refuse;
using nlohmann::json;

// A line of TOML for each key.  A string of JSON is one of TOML, and so are numbers and arrays.
std::string to_toml(const json& object, const std::string& prefix = "") {
    std::string text;
    for (const auto& [key, value] : object.items()) {
        const std::string name = prefix + json(key).dump();
        text += value.is_object() ? to_toml(value, name + ".") : name + " = " + value.dump() + "\n";
    }
    return text;
}

// Until when what the control socket has done holds.
std::string until(const Controlled& controlled) {
    return controlled.reloader.has_file() ? "until the next reload or restart, which take the file"
                                          : "until vrdmad ends";
}

}  // namespace

Answer unknown_guest(const Server& server, const std::string& name) {
    const auto names = server.guest_names();
    return refuse(control::kUnknownGuest,
                  fmt::format("there is no guest '{}'; there {}", name,
                              names.empty() ? "is none at all"
                                            : fmt::format("are {}", fmt::join(names, ", "))),
                  {{"guests", names}});
}

Answer add_guest(const Controlled& controlled, const json& parameters) {
    const std::string name = parameters.at("guest");
    const json& configuration = parameters.at("configuration");
    if (configuration.contains("name")) {
        return refuse(control::kInvalidParameters, "the name is the guest's; leave 'name' out");
    }
    VmConfig vm;
    try {
        json all = configuration;
        all["name"] = name;
        vm = parse_vm(to_toml(all), controlled.reloader.default_limits());
    } catch (const std::exception& error) {
        return refuse(control::kInvalidParameters, error.what());
    }
    try {
        controlled.server.add(vm);
    } catch (const std::exception& error) {
        return refuse(control::kRefused, fmt::format("nothing has changed: {}", error.what()));
    }
    const std::string message = fmt::format("the guest '{}' is served on {} {}", name,
                                            vm.socket.string(), until(controlled));
    const LogScope scope({.guest = name});
    controlled.levels.logger("daemon")->info("by the control socket: {}", message);
    return json{{"message", message}};
}

Answer remove_guest(const Controlled& controlled, const json& parameters) {
    const std::string name = parameters.at("guest");
    if (!controlled.server.remove(name)) {
        return unknown_guest(controlled.server, name);
    }
    const std::string message =
        fmt::format("the guest '{}' is not served any more, {}", name, until(controlled));
    const LogScope scope({.guest = name});
    controlled.levels.logger("daemon")->info("by the control socket: {}", message);
    return json{{"message", message}};
}

Answer drain_guest(const Controlled& controlled, const json& parameters) {
    const std::string name = parameters.at("guest");
    const bool drains = !parameters.value("off", false);
    if (!controlled.server.drain(name, drains)) {
        return unknown_guest(controlled.server, name);
    }
    const LogScope scope({.guest = name});
    controlled.levels.logger("daemon")->info("{}: by the control socket: it is {} drained", name,
                                             drains ? "being" : "not");
    auto guest = controlled.server.guest(name);
    return guest ? Answer(std::move(*guest)) : unknown_guest(controlled.server, name);
}

}  // namespace vrdma::daemon
