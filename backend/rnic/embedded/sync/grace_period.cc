// SPDX-License-Identifier: Apache-2.0
#include "rnic/embedded/sync/grace_period.h"

#include "rnic/embedded/engine.h"

namespace vrdma::embedded {

void GracePeriod::begin(const Engine& engine, const Worker& self) {
    slices_.clear();
    for (const auto& worker : engine.workers) {
        // Sequentially consistent, as the beginning of a Slice and the look-up after it: either
        // the slice is seen here, or the change there.
        const uint64_t slice = worker->slice();
        slices_.push_back(worker.get() != &self && slice % 2 != 0 ? slice : 0);
    }
}

bool GracePeriod::over(const Engine& engine) {
    for (size_t i = 0; i < slices_.size(); ++i) {
        if (slices_[i] == 0) continue;
        if (engine.workers[i]->slice() == slices_[i]) return false;
        slices_[i] = 0;
    }
    return true;
}

}  // namespace vrdma::embedded
