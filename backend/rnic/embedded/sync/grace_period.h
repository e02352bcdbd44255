// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <vector>

#include "rnic/embedded/sync/slice_counter.h"

namespace vrdma::embedded {

// An entry that was taken out of a table is still in use by the slices that other workers began
// before. A GracePeriod tells when those slices have ended, without waiting for them.
class GracePeriod {
  public:
    // Begins the period, after the table has changed by a sequentially consistent store. The worker
    // `slices.self` calls it.
    void begin(const WorkerSlices& slices);

    // Whether nobody uses the entry any more. Any worker.
    bool over(const WorkerSlices& slices);

  private:
    std::vector<uint64_t> begun_;  // by worker: the slice that must end; 0: it has ended
};

}  // namespace vrdma::embedded
