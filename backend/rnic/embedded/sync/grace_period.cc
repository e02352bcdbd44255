// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/sync/grace_period.h"

namespace vrdma::embedded {

void GracePeriod::begin(const WorkerSlices& slices) {
    begun_.clear();
    for (const SliceCounter& worker : slices.all) {
        // Sequentially consistent: pairs with the beginning of a Slice and the look-up after it.
        // Either the slice is seen here, or the change is seen there.
        const uint64_t slice = worker.current();
        begun_.push_back(&worker != &slices.self && slice % 2 != 0 ? slice : 0);
    }
}

bool GracePeriod::over(const WorkerSlices& slices) {
    for (size_t i = 0; i < begun_.size(); ++i) {
        if (begun_[i] == 0) {
            continue;
        }
        if (slices.all[i].current() == begun_[i]) {
            return false;
        }
        begun_[i] = 0;
    }
    return true;
}

}  // namespace vrdma::embedded
