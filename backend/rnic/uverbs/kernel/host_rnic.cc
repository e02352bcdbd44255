// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/kernel/host_rnic.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "file_descriptor.h"
#include "rnic/uverbs/kernel/rdma_netlink.h"
#include "rnic/uverbs/kernel/sysfs.h"

namespace vrdma::uverbs {
namespace {

namespace fs = std::filesystem;

// The names in a folder, sorted; none when it is not there.
std::vector<std::string> names_in(const fs::path& folder) {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        names.push_back(entry.path().filename().string());
    }
    std::ranges::sort(names);
    return names;
}

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const auto& name : names) {
        text += (text.empty() ? "" : ", ") + name;
    }
    return text.empty() ? "none" : text;
}

fs::path rnics_folder(const HostView& view) {
    return view.sysfs / "class/infiniband";
}

fs::path uverbs_folder(const HostView& view) {
    return view.sysfs / "class/infiniband_verbs";
}

std::string find_uverbs_name(const std::string& name, const HostView& view) {
    for (const auto& candidate : names_in(uverbs_folder(view))) {
        if (first_line(uverbs_folder(view) / candidate / "ibdev") == name) {
            return candidate;
        }
    }
    throw HostRnicError(
        fmt::format("the RNIC '{}' has no uverbs device in {}; load the module ib_uverbs", name,
                    uverbs_folder(view).string()));
}

uint32_t read_abi_version(const fs::path& file) {
    const std::string text = first_line(file);
    uint32_t version = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
    if (error != std::errc() || end != text.data() + text.size()) {
        throw HostRnicError(fmt::format("{} has '{}' instead of a number", file.string(), text));
    }
    return version;
}

std::string why_not_opened(const fs::path& path, int error) {
    struct stat status {};
    switch (error) {
        case EACCES:
            if (::stat(path.c_str(), &status) == 0) {
                return fmt::format(
                    "it belongs to user {}, group {}, with mode {:04o}; run vrdmad as a user who "
                    "may read and write it",
                    status.st_uid, status.st_gid, status.st_mode & 07777);
            }
            return "run vrdmad as a user who may read and write it";
        case EPERM:
            return "the RNIC is in another network namespace (see 'rdma system'), or a device "
                   "policy (cgroup) forbids it";
        case ENOENT:
        case ENXIO:
            return "there is no such device node: is udev running, and /dev that of the host?";
        case EBUSY:
            return "another process uses it alone; stop that one";
        default:
            return "look at the kernel's messages (dmesg)";
    }
}

void check_can_open(const std::string& name, const fs::path& path) {
    const FileDescriptor file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (!file) {
        const int error = errno;
        throw HostRnicError(fmt::format("the RNIC '{}' cannot be used: {}: {}; {}", name,
                                        path.string(), std::strerror(error),
                                        why_not_opened(path, error)));
    }
}

}  // namespace

HostView::HostView() : driver_id(query_driver_id) {}

std::vector<std::string> host_rnic_names(const HostView& view) {
    return names_in(rnics_folder(view));
}

HostRnic find_host_rnic(const std::string& name, const HostView& view) {
    const auto names = host_rnic_names(view);
    // A name with slashes would lead elsewhere; it is none of these names.
    if (std::ranges::find(names, name) == names.end()) {
        throw HostRnicError(fmt::format("there is no RNIC '{}' in {}; RNICs of this host: {}", name,
                                        rnics_folder(view).string(), joined(names)));
    }
    HostRnic rnic;
    rnic.name = name;
    rnic.uverbs_name = find_uverbs_name(name, view);
    rnic.uverbs_path = view.devices / "infiniband" / rnic.uverbs_name;
    rnic.uverbs_abi_version =
        read_abi_version(uverbs_folder(view) / rnic.uverbs_name / "abi_version");
    rnic.ports = static_cast<uint32_t>(names_in(rnics_folder(view) / name / "ports").size());
    // "4: RNIC" (node_type_show); "1: CA" for RoCE.
    rnic.iwarp = first_line(rnics_folder(view) / name / "node_type").starts_with("4:");
    check_can_open(name, rnic.uverbs_path);
    rnic.driver_id = view.driver_id(name);
    return rnic;
}

}  // namespace vrdma::uverbs
