// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "budget.h"
#include "file_descriptor.h"
#include "memory/fault_report.h"
#include "memory/guest_memory.h"
#include "vhost/protocol/vhost_user.h"

namespace vrdma::vhost {

// Memory regions that a VMM may have in all: enough for any number of hot-plugged modules.
inline constexpr uint64_t kMaxMemorySlots = 509;

// How much memory one machine's VMM may hand over in a table of regions.  A machine may have twice
// as much mapped: a new table is mapped before the old one is given up, and a memory region may
// still refer to a region that the VMM has taken back.  Null: without limit.
struct MemoryBudgets {
    Budget* region_bytes = nullptr;
    Budget* memory_slots = nullptr;
};

// Which files the operator takes for a guest's memory.
struct MemoryRules {
    // Also memfds that the VMM can shrink under this process (without F_SEAL_SHRINK).
    bool unsealed_memfds = false;
    // File systems besides tmpfs and hugetlbfs, by their names in /proc/filesystems.  One that
    // does not answer holds up every thread that touches a file of it.
    std::vector<std::string> file_systems{};
    bool operator==(const MemoryRules&) const = default;
};

// Maps the regions that one machine's VMM describes, on this connection and later ones.
class RegionMapper {
  public:
    // The budgets outlive the object and the regions.
    explicit RegionMapper(MemoryRules rules = {}, const MemoryBudgets& budgets = {})
        : rules_(std::move(rules)), budgets_(budgets) {}
    RegionMapper(const RegionMapper&) = delete;
    RegionMapper& operator=(const RegionMapper&) = delete;

    // Why a region was not mapped.
    struct Refusal {
        std::string what;
        bool untrusted = false;  // the file is of a kind that could harm others
    };

    // Maps a region, with its file's own page size taken into account.  `others` are the regions
    // of the same table.  Faults are reported to `faults`.
    tl::expected<std::shared_ptr<const memory::GuestRegion>, Refusal> map(
        const VuMemoryRegion& region, const FileDescriptor& file, const memory::GuestMemory& others,
        std::shared_ptr<memory::FaultReport> faults);

  private:
    tl::expected<void, Refusal> check_file(const FileDescriptor& file) const;
    tl::expected<memory::Mapping::Charges, std::string> charge(uint64_t size, uint64_t length,
                                                               const memory::GuestMemory& others);

    const MemoryRules rules_;
    const MemoryBudgets budgets_;
};

}  // namespace vrdma::vhost
