// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "device/verbs/verbs.h"

#include <utility>

namespace vrdma::device {

Verbs::Verbs(Options options, rnic::Port& port, ShmMapper& shm, DoorbellMemory doorbells,
             GuestMemorySource memory)
    : options_(options),
      port_(port),
      memory_(std::move(memory)),
      quota_(options_.budgets.registered_bytes, options_.budgets.total_mr_runs),
      mappings_(shm, doorbells, options_.budgets.mappings, options_.budgets.shared_memory_bytes),
      objects_(options_.attributes, options_.budgets) {}

void Verbs::release_all() {
    objects_.ucma_files.clear();
    for (const uint32_t uctx : objects_.ucontexts.handles()) {
        release_ucontext(uctx);
    }
    objects_.erase_owned(VRDMA_NO_HANDLE);
    objects_.xrcds.clear();
}

void Verbs::release_ucontext(uint32_t uctx) {
    objects_.erase_owned(uctx);
    mappings_.unmap_owned(uctx);
    objects_.ucontexts.erase(uctx);
}

}  // namespace vrdma::device
