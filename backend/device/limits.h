// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vrdma_doorbell.h>

#include <algorithm>
#include <cstdint>

namespace vrdma::device {

// What one virtual machine may hold at once.  Where the RNIC's own limit is lower,
// that one counts.  The operator sets them; see docs/operations.md.
struct Limits {
    uint32_t contexts = 1024;
    uint32_t protection_domains = 4096;
    uint32_t memory_regions = 65536;
    uint32_t memory_windows = 65536;
    uint32_t completion_queues = 8192;
    uint32_t shared_receive_queues = 4096;
    uint32_t queue_pairs = 8192;
    uint32_t address_handles = 65536;
    uint32_t multicast_attachments = 4096;   // of queue pairs to groups
    uint32_t ucma_files = 1024;              // of the connection manager's user interface
    uint32_t mappings = 32768;               // of RNIC memory in the shared memory region
    uint64_t registered_bytes = 1ULL << 40;  // over all memory regions
    uint32_t mr_runs = 262144;               // guest-physical runs of one memory region
    uint64_t total_mr_runs = 4194304;        // over all memory regions
};

// How many objects of a kind a guest can have, and so the bound of their handles: the lower
// of the two limits, at least one.
constexpr uint32_t handle_limit(uint32_t operator_limit, uint32_t rnic_limit) {
    return std::max(1U, std::min(operator_limit, rnic_limit));
}

// The same for CQs and QPs, which have a place in the doorbell area.
constexpr uint32_t doorbell_handle_limit(uint32_t operator_limit, uint32_t rnic_limit) {
    return handle_limit(operator_limit, std::min<uint32_t>(rnic_limit, VRDMA_DB_MAX_HANDLES));
}

}  // namespace vrdma::device
