// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "rnic/uverbs/addressing/gid.h"

namespace vrdma::uverbs {

// A RoCE v2 GID of the host RNIC.
struct HostGid {
    uint8_t index = 0;  // in the port's table; sgid_index names it
    rnic::Gid gid{};
    std::string netdev;  // the netdev that has the address; may be empty
};

// The RoCE v2 GIDs of one port of the host RNIC as they were at one moment, by index.
class HostGids {
  public:
    // sgid_index has 8 bits (struct ib_uverbs_global_route), and names no more GIDs than these.
    static constexpr uint32_t kNameable = 256;

    HostGids() = default;
    explicit HostGids(std::vector<HostGid> gids) : gids_(std::move(gids)) {}

    const HostGid* find(const rnic::Gid& gid) const;
    const HostGid* at(uint32_t index) const;

    // The first GID of a scope; null when there is none.
    const HostGid* first(GidScope scope) const;

    const std::vector<HostGid>& all() const { return gids_; }

  private:
    std::vector<HostGid> gids_;
};

// The GID table of one port.  Any thread.
class HostGidTable {
  public:
    using Read = std::function<HostGids()>;

    // Reads the table.  A port that is not there has no GIDs.
    HostGidTable(std::string name, uint32_t port, Read read);
    // Reads the table from sysfs, /sys/class/infiniband/<name>/ports/<port>.
    HostGidTable(const std::string& name, uint32_t port,
                 const std::filesystem::path& sysfs = "/sys");

    // Reads the table again, on IB_EVENT_GID_CHANGE.
    void refresh();

    std::shared_ptr<const HostGids> gids() const;

    // Reads the table, and then waits until refresh() has found the GID.  False when that did not
    // happen in time: the kernel puts an address into the table a moment after the netdev has it.
    bool wait_for(const rnic::Gid& gid, std::chrono::milliseconds limit);
    const std::string& name() const { return name_; }
    uint32_t port() const { return port_; }

  private:
    const std::string name_;
    const uint32_t port_;
    const Read read_;
    std::mutex refreshing_;     // one reads at a time, so that no older table replaces a newer one
    mutable std::mutex mutex_;  // guards gids_
    std::condition_variable changed_;
    std::shared_ptr<const HostGids> gids_;
};

}  // namespace vrdma::uverbs
