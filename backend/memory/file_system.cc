// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "memory/file_system.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <fstream>
#include <limits>
#include <sstream>

namespace vrdma::memory {
namespace {

// The mount that the file was opened through, or -1.  fstatfs(2) would ask the file system.
int64_t mount_of(int fd) {
    std::ifstream info(fmt::format("/proc/self/fdinfo/{}", fd));
    std::string key;
    int64_t value = -1;
    while (info >> key) {
        if (key == "mnt_id:" && info >> value) {
            return value;
        }
        info.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
    }
    return -1;
}

// "major:minor" of the file system.  With AT_STATX_DONT_SYNC the kernel takes what it knows.
std::string device_of(int fd) {
    struct statx status {};
    if (::statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &status) != 0) {
        return "";
    }
    return fmt::format("{}:{}", status.stx_dev_major, status.stx_dev_minor);
}

}  // namespace

int seals_of(int fd) {
    return ::fcntl(fd, F_GET_SEALS);
}

bool is_memfd(int fd) {
    return name_of(fd).starts_with("/memfd:");
}

std::string name_of(int fd) {
    std::array<char, 4096> name;
    const ssize_t length =
        ::readlink(fmt::format("/proc/self/fd/{}", fd).c_str(), name.data(), name.size());
    return length < 0 ? "" : std::string(name.data(), static_cast<size_t>(length));
}

// proc_pid_mountinfo(5): id, parent, device, root, place, options, fields of any number that end
// with "-", type.
std::string file_system_of(int fd) {
    const int64_t mount = mount_of(fd);
    const std::string device = device_of(fd);
    std::ifstream mounts("/proc/self/mountinfo");
    std::string line;
    std::string by_device;
    while (std::getline(mounts, line)) {
        std::istringstream fields(line);
        int64_t id = -1;
        std::string parent;
        std::string its_device;
        fields >> id >> parent >> its_device;
        std::string field;
        while (fields >> field && field != "-") {
        }
        std::string type;
        fields >> type;
        if (id == mount) {
            return type;
        }
        // A VMM in a mount namespace of its own has mounts of its own of the same file system.
        if (its_device == device) {
            by_device = type;
        }
    }
    return by_device;
}

}  // namespace vrdma::memory
