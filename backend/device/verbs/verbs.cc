// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "device/verbs/verbs.h"

#include <utility>

namespace vrdma::device {

Verbs::Verbs(Options options, rnic::Port& port, ShmMapper& shm, DoorbellMemory doorbells,
             GuestMemorySource memory, std::shared_ptr<spdlog::logger> logger)
    : options_(std::move(options)),
      port_(port),
      memory_(std::move(memory)),
      limit_log_(options_.guest, std::move(logger)),
      quota_({.bytes = options_.limits.registered_bytes, .runs = options_.limits.total_mr_runs},
             limit_log_),
      mappings_(shm, doorbells, options_.limits.mappings, limit_log_),
      objects_(options_.limits, options_.attributes, limit_log_) {}

ObjectCounts Verbs::counts() const {
    return {
        .contexts = objects_.ucontexts.size(),
        .protection_domains = objects_.pds.size(),
        .memory_regions = objects_.mrs.size(),
        .memory_windows = objects_.mws.size(),
        .completion_queues = objects_.cqs.size(),
        .shared_receive_queues = objects_.srqs.size(),
        .queue_pairs = objects_.qps.size(),
        .address_handles = objects_.ahs.size(),
        .multicast_attachments = objects_.mcast_attachments.used(),
        .ucma_files = objects_.ucma_files.size(),
        .mappings = mappings_.size(),
        .registered_bytes = quota_.used().bytes,
    };
}

void Verbs::release_all() {
    objects_.ucma_files.erase_if([](const UcmaFileObject&) { return true; });
    for (const uint32_t uctx : objects_.ucontexts.handles()) {
        release_ucontext(uctx);
    }
}

void Verbs::release_ucontext(uint32_t uctx) {
    objects_.erase_owned(uctx);
    mappings_.unmap_owned(uctx);
    objects_.ucontexts.erase(uctx);
}

}  // namespace vrdma::device
