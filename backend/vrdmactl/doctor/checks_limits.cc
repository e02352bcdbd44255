// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include <fmt/format.h>
#include <linux/capability.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <sstream>

#include "vrdmactl/doctor/checks.h"

namespace vrdma::doctor {
namespace {

constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();

std::optional<uint64_t> parse(const std::string& text, int base = 10) {
    uint64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [read, error] = std::from_chars(text.data(), end, value, base);
    return error == std::errc() && read != text.data() ? std::optional(value) : std::nullopt;
}

// The soft limit of the daemon, by its name in proc_pid_limits(5).
std::optional<uint64_t> limit_of_daemon(const Host& host, const std::string& name) {
    std::istringstream lines(host.read_of_daemon("limits").value_or(""));
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(name)) {
            std::istringstream values(line.substr(name.size()));
            std::string soft;
            values >> soft;
            return soft == "unlimited" ? std::optional(kNoLimit) : parse(soft);
        }
    }
    return std::nullopt;
}

bool has_capability(const Host& host, unsigned capability) {
    std::istringstream lines(host.read_of_daemon("status").value_or(""));
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("CapEff:\t")) {
            return (parse(line.substr(8), 16).value_or(0) >> capability & 1) != 0;
        }
    }
    return false;
}

// A file of the control group that the daemon is in (version 2).
std::optional<std::string> cgroup_file(const Host& host, const std::string& group,
                                       const std::string& name) {
    auto text = host.read("/sys/fs/cgroup" + group + "/" + name);
    if (text) {
        text->erase(text->find_last_not_of('\n') + 1);
    }
    return text;
}

}  // namespace

Findings check_map_count(const Host& host) {
    const std::string what = "vm.max_map_count";
    const auto allowed = host.number("/proc/sys/vm/max_map_count");
    if (!allowed) {
        return {warning(what, "it cannot be read", "sysctl vm.max_map_count")};
    }
    // The VMMs' memory, rings and threads of each guest, and what the program itself has.  An RNIC
    // of the host maps each run of a region while it is registered.
    constexpr uint64_t kProgram = 4096;
    constexpr uint64_t kOfGuest = 128;
    uint64_t needed = kProgram + host.guests() * kOfGuest + host.sum_of_limits("memory_slots");
    if (host.uses_host_rnic()) {
        uint64_t runs = 0;
        for (const auto& guest : host.daemon->stats.at("guests")) {
            runs = std::max(runs, guest.at("limits").at("mr_runs").at("limit").get<uint64_t>());
        }
        needed += runs;
    }
    if (*allowed >= needed) {
        return {ok(what, fmt::format("{}, of which {} guest(s) may need {}", *allowed,
                                     host.guests(), needed))};
    }
    return {
        warning(what,
                fmt::format("it is {}, and {} guest(s) may need {}: registrations of scattered "
                            "memory may fail with ENOMEM",
                            *allowed, host.guests(), needed),
                fmt::format("sysctl vm.max_map_count={}", std::max(needed, uint64_t{1048576})))};
}

Findings check_locked_memory(const Host& host) {
    const std::string what = "locked memory";
    if (!host.daemon) {
        return {};
    }
    if (!host.uses_host_rnic()) {
        return {ok(what, "the embedded RNIC locks none")};
    }
    const auto allowed = limit_of_daemon(host, "Max locked memory");
    if (allowed == kNoLimit || has_capability(host, CAP_IPC_LOCK)) {
        return {ok(what, "vrdmad may lock all that guests register")};
    }
    if (!allowed) {
        return {warning(what, "vrdmad's limits cannot be read", "vrdmactl doctor  # as root")};
    }
    const uint64_t wanted = host.sum_of_limits("registered_bytes");
    if (*allowed >= wanted) {
        return {ok(what, fmt::format("vrdmad may lock {} bytes, and guests register {} at most",
                                     *allowed, wanted))};
    }
    return {error(what,
                  fmt::format("vrdmad may lock {} bytes, and its guests may register {} altogether",
                              *allowed, wanted),
                  "systemctl edit vrdmad  # with [Service] and LimitMEMLOCK=infinity")};
}

Findings check_open_files(const Host& host) {
    const std::string what = "open files";
    const auto allowed = limit_of_daemon(host, "Max open files");
    if (!allowed) {
        return {};
    }
    constexpr uint64_t kOfContext = 3;
    constexpr uint64_t kOfGuest = 64;
    const uint64_t needed = host.guests() * kOfGuest + host.sum_of_limits("contexts") * kOfContext;
    if (*allowed >= needed) {
        return {ok(
            what, fmt::format("vrdmad may open {}, and its guests may need {}", *allowed, needed))};
    }
    return {warning(
        what, fmt::format("vrdmad may open {}, and its guests may need {}", *allowed, needed),
        fmt::format("systemctl edit vrdmad  # with [Service] and LimitNOFILE={}", needed))};
}

Findings check_asynchronous_io(const Host& host) {
    const std::string what = "fs.aio-max-nr";
    const auto most = host.number("/proc/sys/fs/aio-max-nr");
    const auto used = host.number("/proc/sys/fs/aio-nr");
    if (!most || !used) {
        return {error(what, "the kernel has no asynchronous I/O, by which guests are interrupted",
                      "zgrep CONFIG_AIO /proc/config.gz  # and take a kernel that has it")};
    }
    constexpr uint64_t kOfGuest = 64;
    const uint64_t room = *most - std::min(*used, *most);
    // Those guests that are connected have theirs.
    if (room >= kOfGuest) {
        return {ok(what, fmt::format("{} of {} are in use", *used, *most))};
    }
    return {error(what,
                  fmt::format("{} of {} are in use: no further guest can connect", *used, *most),
                  fmt::format("sysctl fs.aio-max-nr={}", *most + 65536))};
}

Findings check_cgroup(const Host& host) {
    const std::string what = "control group";
    const std::string line = host.read_of_daemon("cgroup").value_or("");
    const size_t begin = line.find("0::");
    if (begin == std::string::npos) {
        return {};
    }
    const std::string group = line.substr(begin + 3, line.find('\n', begin) - begin - 3);
    Findings findings;
    if (const auto memory = cgroup_file(host, group, "memory.max"); memory && *memory != "max") {
        const uint64_t most = parse(*memory).value_or(0);
        const uint64_t rings = host.sum_of_limits("ring_bytes");
        if (most < rings) {
            findings.push_back(
                warning(what,
                        fmt::format("{} may have {} bytes of memory, and its guests' rings take up "
                                    "to {}; the kernel ends vrdmad when it has more",
                                    group, most, rings),
                        "systemctl edit vrdmad  # with [Service] and MemoryMax=, or a smaller "
                        "ring_bytes in [limits]"));
        }
    }
    if (const auto tasks = cgroup_file(host, group, "pids.max"); tasks && *tasks != "max") {
        // Connection, control, events, the RNIC's workers, the connection manager's, the receiver.
        constexpr uint64_t kOfGuest = 16;
        constexpr uint64_t kProgram = 32;
        const uint64_t needed = kProgram + host.guests() * kOfGuest;
        if (parse(*tasks).value_or(0) < needed) {
            findings.push_back(error(
                what,
                fmt::format("{} may have {} tasks, and {} guest(s) may need {}", group, *tasks,
                            host.guests(), needed),
                fmt::format("systemctl edit vrdmad  # with [Service] and TasksMax={}", needed)));
        }
    }
    if (findings.empty()) {
        findings.push_back(ok(what, group + " leaves vrdmad the memory and tasks that it needs"));
    }
    return findings;
}

}  // namespace vrdma::doctor
