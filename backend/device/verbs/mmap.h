// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <map>

#include "budget.h"
#include "device/shm/shm_mapper.h"
#include "result.h"

namespace vrdma::state {
class Session;
}  // namespace vrdma::state

namespace vrdma::device {

// The doorbell area of the device, as the shared memory region maps it.
struct DoorbellMemory {
    int fd = -1;
    uint64_t length = 0;  // bytes
};

// The mappings of a guest in the shared memory region: RNIC memory of its user contexts, and
// the doorbell area once.
class Mappings {
  public:
    // `shm` and the budgets outlive the object.  `number` and `bytes` are for mappings of RNIC
    // memory.
    Mappings(ShmMapper& shm, const DoorbellMemory& doorbells, Budget& number, Budget& bytes)
        : shm_(shm), doorbells_(doorbells), number_(number), bytes_(bytes) {}
    Mappings(const Mappings&) = delete;
    Mappings& operator=(const Mappings&) = delete;

    // EDQUOT and a log line when the guest may have no further mapping of RNIC memory.
    Result<void> check_limit() { return number_.check(); }

    // Maps (`offset`, `length`) of `fd`, RNIC memory of the user context `uctx`.  Returns where
    // it is in the shared memory region.  EDQUOT and a log line when the guest may not map as much;
    // errors of ShmMapper::map().
    Result<uint64_t> map(uint32_t uctx, int fd, uint64_t offset, uint64_t length);

    // EINVAL for what `uctx` has not mapped exactly like this.
    Result<void> unmap(uint32_t uctx, uint64_t shm_offset, uint64_t length);

    // Unmaps all RNIC memory of the user context `uctx`.
    void unmap_owned(uint32_t uctx);

    // Maps the doorbell area, if it is not mapped yet.  Returns where it is in the shared memory
    // region.  Errors of ShmMapper::map().
    Result<uint64_t> map_doorbells();

    // Write what is mapped, and take note of what was written.  Errors of ShmMapper::adopt().
    void save(state::Session& state) const;
    Result<void> restore(const state::Session& state);

    const DoorbellMemory& doorbells() const { return doorbells_; }

  private:
    struct Mapping {
        uint32_t uctx = 0;
        uint64_t length = 0;  // bytes
        Charge number;
        Charge bytes;
    };

    ShmMapper& shm_;
    const DoorbellMemory doorbells_;
    Budget& number_;
    Budget& bytes_;
    std::map<uint64_t, Mapping> mappings_;  // by shared memory offset
    bool doorbells_mapped_ = false;
    uint64_t doorbells_offset_ = 0;
};

}  // namespace vrdma::device
