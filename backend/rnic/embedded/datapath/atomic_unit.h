// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>

#include "rnic/embedded/keys/scatter_list.h"
#include "rnic/embedded/rings/work_request.h"
#include "rnic/embedded/sync/spin_lock.h"

namespace vrdma::embedded {

// Executes the atomic operations of all workers (IBTA 1.4, 9.4.5).
class AtomicUnit {
  public:
    // Executes `request` on the 8 bytes of `target`, and answers what was there before.
    uint64_t execute(const SendRequest& request, const ScatterList& target);

  private:
    SpinLock unaligned_;
};

}  // namespace vrdma::embedded
