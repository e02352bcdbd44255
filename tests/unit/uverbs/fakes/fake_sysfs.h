// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A folder that looks like /sys and /dev of a host with RNICs.
#pragma once

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "rnic/uverbs/addressing/gid.h"

namespace vrdma::uverbs {

inline rnic::Gid gid(const std::string& text) {
    return parse_gid(text).value();
}

class FakeSysfs {
  public:
    FakeSysfs() {
        char pattern[] = "/tmp/vrdma-sysfs-test-XXXXXX";
        root_ = ::mkdtemp(pattern);
    }
    ~FakeSysfs() { std::filesystem::remove_all(root_); }
    FakeSysfs(const FakeSysfs&) = delete;
    FakeSysfs& operator=(const FakeSysfs&) = delete;

    std::filesystem::path root() const { return root_; }
    std::filesystem::path sysfs() const { return root_ / "sys"; }
    std::filesystem::path devices() const { return root_ / "dev"; }

    void write(const std::filesystem::path& file, const std::string& line) const {
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file) << line << "\n";
    }

    // An RNIC with one port and an empty GID table.
    void add_rnic(const std::string& name, uint32_t gids = 16) const {
        for (uint32_t index = 0; index < gids; ++index) {
            clear_gid(name, index);
        }
    }

    void add_uverbs(const std::string& uverbs, const std::string& rnic,
                    const std::string& abi_version) const {
        const auto folder = sysfs() / "class/infiniband_verbs" / uverbs;
        write(folder / "ibdev", rnic);
        write(folder / "abi_version", abi_version);
        write(devices() / "infiniband" / uverbs, "");
    }

    void set_gid(const std::string& name, uint32_t index, const std::string& address,
                 const std::string& type = "RoCE v2", const std::string& netdev = "eth0") const {
        const rnic::Gid value = gid(address);
        std::string text;  // as the kernel's %pI6 has it
        for (size_t i = 0; i < value.size(); ++i) {
            text += fmt::format("{}{:02x}", i % 2 == 0 && i != 0 ? ":" : "", value[i]);
        }
        write(port(name) / "gids" / std::to_string(index), text);
        write(port(name) / "gid_attrs/types" / std::to_string(index), type);
        write(port(name) / "gid_attrs/ndevs" / std::to_string(index), netdev);
    }

    // The table is shorter from here on.
    void remove_gid(const std::string& name, uint32_t index) const {
        std::filesystem::remove(port(name) / "gids" / std::to_string(index));
    }

    void set_pkey(const std::string& name, uint32_t index, const std::string& key) const {
        write(port(name) / "pkeys" / std::to_string(index), key);
    }

    // An empty entry: the zero GID, and no attributes.
    void clear_gid(const std::string& name, uint32_t index) const {
        write(port(name) / "gids" / std::to_string(index),
              "0000:0000:0000:0000:0000:0000:0000:0000");
        std::filesystem::remove(port(name) / "gid_attrs/types" / std::to_string(index));
        std::filesystem::remove(port(name) / "gid_attrs/ndevs" / std::to_string(index));
    }

  private:
    std::filesystem::path port(const std::string& name) const {
        return sysfs() / "class/infiniband" / name / "ports/1";
    }

    std::filesystem::path root_;
};

}  // namespace vrdma::uverbs
