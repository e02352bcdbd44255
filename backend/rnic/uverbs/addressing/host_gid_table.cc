// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/addressing/host_gid_table.h"

#include <algorithm>

#include "rnic/uverbs/kernel/sysfs.h"

namespace vrdma::uverbs {
namespace {

HostGids read_sysfs(const std::filesystem::path& folder) {
    std::vector<HostGid> gids;
    for (uint32_t index = 0; index < HostGids::kNameable; ++index) {
        const std::string name = std::to_string(index);
        const std::string text = first_line(folder / "gids" / name);
        if (text.empty()) break;  // the end of the table
        const auto gid = parse_gid(text);
        if (!gid || is_zero(*gid)) continue;
        // RoCE v1 has no IP addresses, and native InfiniBand no netdev.
        if (first_line(folder / "gid_attrs/types" / name) != "RoCE v2") continue;
        gids.push_back(
            {static_cast<uint8_t>(index), *gid, first_line(folder / "gid_attrs/ndevs" / name)});
    }
    return HostGids(std::move(gids));
}

}  // namespace

const HostGid* HostGids::find(const rnic::Gid& gid) const {
    const auto it = std::ranges::find(gids_, gid, &HostGid::gid);
    return it == gids_.end() ? nullptr : &*it;
}

const HostGid* HostGids::at(uint32_t index) const {
    const auto it = std::ranges::find(gids_, index, &HostGid::index);
    return it == gids_.end() ? nullptr : &*it;
}

const HostGid* HostGids::first(GidScope scope) const {
    const auto it = std::ranges::find_if(
        gids_, [&](const HostGid& entry) { return scope_of(entry.gid) == scope; });
    return it == gids_.end() ? nullptr : &*it;
}

HostGidTable::HostGidTable(std::string name, uint32_t port, Read read)
    : name_(std::move(name)),
      port_(port),
      read_(std::move(read)),
      gids_(std::make_shared<const HostGids>(read_())) {}

HostGidTable::HostGidTable(const std::string& name, uint32_t port,
                           const std::filesystem::path& sysfs)
    : HostGidTable(name, port,
                   [folder = port_folder(sysfs, name, port)] { return read_sysfs(folder); }) {}

void HostGidTable::refresh() {
    const std::lock_guard refreshing(refreshing_);
    auto gids = std::make_shared<const HostGids>(read_());
    {
        const std::lock_guard lock(mutex_);
        gids_ = std::move(gids);
    }
    changed_.notify_all();
}

bool HostGidTable::wait_for(const rnic::Gid& gid, std::chrono::milliseconds limit) {
    refresh();
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, [&] { return gids_->find(gid) != nullptr; });
}

std::shared_ptr<const HostGids> HostGidTable::gids() const {
    const std::lock_guard lock(mutex_);
    return gids_;
}

}  // namespace vrdma::uverbs
