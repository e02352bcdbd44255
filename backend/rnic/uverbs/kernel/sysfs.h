// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

namespace vrdma::uverbs {

// The first line of a file of sysfs.  Empty when there is no such file: the thing that it tells of
// can vanish between two reads.
inline std::string first_line(const std::filesystem::path& file) {
    std::ifstream stream(file);
    std::string line;
    std::getline(stream, line);
    return line;
}

// The folder of a port of an RNIC.
inline std::filesystem::path port_folder(const std::filesystem::path& sysfs,
                                         const std::string& rnic, uint32_t port) {
    return sysfs / "class/infiniband" / rnic / "ports" / std::to_string(port);
}

}  // namespace vrdma::uverbs
