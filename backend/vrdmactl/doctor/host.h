// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What the checks know of the host.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "vrdmactl/doctor/kvm_probe.h"

namespace vrdma::doctor {

// A vrdmad that answers.
struct Daemon {
    pid_t pid = 0;
    std::string version;
    nlohmann::json stats;  // the result of the method `stats`
};

struct Host {
    // Files of the host are looked for below it.
    std::filesystem::path root = "/";
    // Tries KVM's device.
    std::function<KvmOutcome(const std::filesystem::path& device)> try_kvm = probe_kvm;
    // The RDMA driver id of an RNIC.  Throws uverbs::HostRnicError.  None: asks the kernel.
    std::function<uint32_t(const std::string& name)> rnic_driver = nullptr;
    // The version that QEMU's program at this path says, "7.2.22"; empty if it says nothing.
    std::function<std::string(const std::filesystem::path& program)> qemu_version =
        ask_qemu_version;
    std::optional<Daemon> daemon{};
    std::string why_no_daemon{};  // a sentence, without a daemon

    std::filesystem::path path(const std::string& absolute) const {
        return root / std::filesystem::path(absolute).relative_path();
    }
    // The content of a file; none if it cannot be read.
    std::optional<std::string> read(const std::string& absolute) const;
    // The number at the beginning of a file.
    std::optional<uint64_t> number(const std::string& absolute) const;
    // A file of the daemon's process, in /proc.
    std::optional<std::string> read_of_daemon(const std::string& name) const;
    // The paths of the folder's files, sorted; none if there is no such folder.
    std::vector<std::filesystem::path> list(const std::string& absolute) const;

    size_t guests() const { return daemon ? daemon->stats.at("guests").size() : 0; }
    // The sum of a limit over all guests, which saturates.
    uint64_t sum_of_limits(const std::string& key) const;
    // Whether the daemon's RNIC is one of the host's.
    bool uses_host_rnic() const {
        return daemon && daemon->stats.at("rnic").at("name") != "embedded";
    }

    static std::string ask_qemu_version(const std::filesystem::path& program);
};

}  // namespace vrdma::doctor
