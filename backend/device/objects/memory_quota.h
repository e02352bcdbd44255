// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// How much of its memory a guest may keep in use for the RNIC.
#pragma once

#include <cstdint>
#include <utility>

#include "budget.h"
#include "result.h"

namespace vrdma::device {

// Guest memory that an object keeps in use.
struct MemoryUse {
    uint64_t bytes = 0;
    uint64_t runs = 0;  // or pieces, where there are more: a run may span several regions of RAM
};

// A part of the quota, taken as long as the charge lives.
struct MemoryCharge {
    Charge bytes;
    Charge runs;
};

class MemoryQuota {
  public:
    // The budgets outlive the quota.
    MemoryQuota(Budget& bytes, Budget& runs) : bytes_(bytes), runs_(runs) {}

    // Charges `use` to the guest.  EDQUOT and a log line when the guest may not keep that
    // much more memory in use.
    Result<MemoryCharge> charge(const MemoryUse& use) {
        auto bytes = bytes_.charge(use.bytes);
        if (!bytes) {
            return fail(bytes.error());
        }
        auto runs = runs_.charge(use.runs);
        if (!runs) {
            return fail(runs.error());
        }
        return MemoryCharge{std::move(*bytes), std::move(*runs)};
    }

    // Charges what the guest has already, whether or not it may.
    MemoryCharge take(const MemoryUse& use) {
        return {.bytes = bytes_.take(use.bytes), .runs = runs_.take(use.runs)};
    }

  private:
    Budget& bytes_;
    Budget& runs_;
};

}  // namespace vrdma::device
