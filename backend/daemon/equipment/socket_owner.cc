// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/equipment/socket_owner.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>

#include <charconv>
#include <limits>
#include <optional>
#include <string>

namespace vrdma::daemon {
namespace {

// A decimal number, of which the last stands for "none" (chown(2)).
std::optional<uint32_t> number(const std::string& text) {
    uint32_t value = 0;
    const char* end = text.data() + text.size();
    const auto [read, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || read != end || value == std::numeric_limits<uint32_t>::max()) {
        return std::nullopt;
    }
    return value;
}

// The group with this name or number.
std::optional<gid_t> find_group(const std::string& group) {
    // Single-threaded: before the server starts.  NOLINTNEXTLINE(concurrency-mt-unsafe)
    const struct group* found = ::getgrnam(group.c_str());
    return found != nullptr ? std::optional(found->gr_gid) : number(group);
}

std::optional<gid_t> control_group(const char* key, const std::string& group) {
    if (group.empty()) {
        return std::nullopt;
    }
    const auto found = find_group(group);
    if (!found) {
        throw ConfigError(
            fmt::format("'{}' in [daemon] is '{}', which this host does not know; give a name of "
                        "'getent group', or a number",
                        key, group));
    }
    return found;
}

[[noreturn]] void reject(const VmConfig& vm, const char* key, const std::string& value) {
    throw ConfigError(
        fmt::format("the virtual machine '{}': '{}' is '{}', which this host does not know; give "
                    "a name of 'getent {}', or a number",
                    vm.name, key, value, std::string(key) == "socket_user" ? "passwd" : "group"));
}

}  // namespace

vhost::SocketAccess socket_access(const Config& config, const VmConfig& vm) {
    vhost::SocketAccess access{.mode = config.socket_mode};
    const std::string& user = vm.socket_user.empty() ? config.socket_user : vm.socket_user;
    const std::string& group = vm.socket_group.empty() ? config.socket_group : vm.socket_group;
    if (!user.empty()) {
        // Single-threaded: before the server starts.  NOLINTNEXTLINE(concurrency-mt-unsafe)
        const passwd* found = ::getpwnam(user.c_str());
        access.user = found != nullptr ? std::optional(found->pw_uid) : number(user);
        if (!access.user) {
            reject(vm, "socket_user", user);
        }
    }
    if (!group.empty()) {
        access.group = find_group(group);
        if (!access.group) {
            reject(vm, "socket_group", group);
        }
    }
    return access;
}

control::Permissions control_permissions(const Config& config) {
    return {.readers = control_group("control_group", config.control_group),
            .administrators = control_group("control_admin_group", config.control_admin_group)};
}

}  // namespace vrdma::daemon
