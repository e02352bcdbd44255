// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "file_descriptor.h"
#include "memory/address_space.h"
#include "memory/fault_report.h"
#include "memory/guest_memory.h"
#include "vhost/protocol/vhost_user.h"

namespace vrdma::vhost {

// Memory regions that a VMM may have in all: enough for any number of hot-plugged modules.
inline constexpr uint64_t kMaxMemorySlots = 509;

// How much memory one machine's VMM may hand over.  Any thread may change a limit, which then
// counts for regions that come.
struct MemoryLimits {
    // Bytes of all regions of a table.  With regions that the VMM has taken back and that a
    // memory region still refers to, a machine may have twice as many bytes mapped.
    std::atomic<uint64_t> region_bytes = uint64_t{2} << 40;
};

// Which files the operator takes for a guest's memory.
struct MemoryRules {
    // Also memfds that the VMM can shrink under this process (without F_SEAL_SHRINK).
    bool unsealed_memfds = false;
    // File systems besides tmpfs and hugetlbfs, by their names in /proc/filesystems.  One that
    // does not answer holds up every thread that touches a file of it.
    std::vector<std::string> file_systems{};
};

// Maps the regions that one machine's VMM describes, on this connection and later ones.
class RegionMapper {
  public:
    explicit RegionMapper(MemoryRules rules = {}) : rules_(std::move(rules)) {}
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

    MemoryLimits& limits() { return limits_; }

    // Bytes of address space that the machine's regions take up at this moment.
    uint64_t mapped_bytes() const { return address_space_->used(); }

  private:
    tl::expected<void, Refusal> check_file(const FileDescriptor& file) const;

    const MemoryRules rules_;
    MemoryLimits limits_;
    const std::shared_ptr<memory::AddressSpace> address_space_ =
        std::make_shared<memory::AddressSpace>();
};

}  // namespace vrdma::vhost
