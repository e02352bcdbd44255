// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// How much of its memory a guest may keep in use for the RNIC.
#pragma once

#include <cstdint>

#include "device/objects/limit_log.h"
#include "result.h"

namespace vrdma::device {

// Guest memory that an object keeps in use.
struct MemoryUse {
    uint64_t bytes = 0;
    uint64_t runs = 0;
};

class MemoryQuota;

// A part of the quota, taken as long as the charge lives.
class MemoryCharge {
  public:
    MemoryCharge() = default;  // of nothing
    MemoryCharge(MemoryCharge&& other) noexcept;
    MemoryCharge& operator=(MemoryCharge&& other) noexcept;
    MemoryCharge(const MemoryCharge&) = delete;
    MemoryCharge& operator=(const MemoryCharge&) = delete;
    ~MemoryCharge();

  private:
    friend class MemoryQuota;
    MemoryCharge(MemoryQuota& quota, const MemoryUse& use);

    MemoryQuota* quota_ = nullptr;
    MemoryUse use_;
};

class MemoryQuota {
  public:
    // `log` outlives the quota, which outlives its charges.
    MemoryQuota(const MemoryUse& limit, LimitLog& log) : limit_(limit), log_(log) {}
    MemoryQuota(const MemoryQuota&) = delete;
    MemoryQuota& operator=(const MemoryQuota&) = delete;

    // Charges `use` to the guest.  EDQUOT and a log line when the guest may not keep that
    // much more memory in use.
    Result<MemoryCharge> charge(const MemoryUse& use);

    const MemoryUse& used() const { return used_; }

  private:
    friend class MemoryCharge;

    const MemoryUse limit_;
    MemoryUse used_;
    LimitLog& log_;
};

}  // namespace vrdma::device
