// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/keys/guest_runs.h"

#include <algorithm>

namespace vrdma::embedded {

bool append_runs(std::span<const std::shared_ptr<const memory::GuestRegion>> regions,
                 const std::byte* data, uint64_t length, std::vector<GuestRun>& runs) {
    while (length != 0) {
        // Two regions may follow each other in this process and not in the guest.
        const auto found = std::ranges::find_if(regions, [data](const auto& region) {
            return data >= region->data() && data < region->data() + region->size();
        });
        if (found == regions.end()) {
            return false;
        }
        const auto offset = static_cast<uint64_t>(data - (*found)->data());
        const uint64_t here = std::min(length, (*found)->size() - offset);
        runs.push_back({(*found)->start().value + offset, here});
        data += here;
        length -= here;
    }
    return true;
}

}  // namespace vrdma::embedded
