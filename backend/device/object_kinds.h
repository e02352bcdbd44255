// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The kinds of objects that a guest holds, listed once.  Limits and ObjectCounts have a field
// for each row; the configuration's [limits], the status' "objects" and the tests go through
// kObjectKinds.
#pragma once

#include <vrdma_doorbell.h>

#include <algorithm>
#include <cstdint>

#include "rnic/attributes.h"

// One row for each kind, in the order of the status:
//   field       in Limits and ObjectCounts; also the key in the configuration and in the status
//   old_key     an older spelling of the key that still works; null when there is none
//   name        in log messages, plural
//   limit       objects of one virtual machine, unless the operator sets another limit
//   max_limit   the highest limit that the operator can set
//   rnic_limit  the RNIC's attribute that bounds the kind as well; null when there is none
// multicast_attachments counts queue pairs in groups, ucma_files open files of the connection
// manager's user interface, mappings RNIC memory in the shared memory region.
#define VRDMA_OBJECT_KINDS(X)                                                                     \
    X(contexts, nullptr, "user contexts", 1024, UINT32_MAX, nullptr)                              \
    X(protection_domains, nullptr, "protection domains", 4096, UINT32_MAX,                        \
      &DeviceAttributes::max_pd)                                                                  \
    X(memory_regions, nullptr, "memory regions", 65536, UINT32_MAX, &DeviceAttributes::max_mr)    \
    X(memory_windows, nullptr, "memory windows", 65536, UINT32_MAX, &DeviceAttributes::max_mw)    \
    X(completion_queues, nullptr, "completion queues", 8192, VRDMA_DB_MAX_HANDLES,                \
      &DeviceAttributes::max_cq)                                                                  \
    X(shared_receive_queues, nullptr, "shared receive queues", 4096, 65536,                       \
      &DeviceAttributes::max_srq)                                                                 \
    X(queue_pairs, nullptr, "queue pairs", 8192, VRDMA_DB_MAX_HANDLES, &DeviceAttributes::max_qp) \
    X(address_handles, nullptr, "address handles", 65536, UINT32_MAX, &DeviceAttributes::max_ah)  \
    X(multicast_attachments, nullptr, "multicast attachments", 4096, UINT32_MAX, nullptr)         \
    X(ucma_files, "connection_files", "ucma_files", 1024, UINT32_MAX, nullptr)                    \
    X(mappings, nullptr, "mappings", 32768, UINT32_MAX, nullptr)

namespace vrdma::device {

// The limits of one virtual machine: how many objects of each kind it may hold at once.  Where
// the RNIC's own limit is lower, the RNIC's counts.  The operator sets the limits, see
// docs/operations.md.
struct Limits {
#define VRDMA_LIMIT(field, old_key, name, limit, max_limit, rnic_limit) uint32_t field = limit;
    VRDMA_OBJECT_KINDS(VRDMA_LIMIT)
#undef VRDMA_LIMIT
    uint64_t registered_bytes = 1ULL << 40;  // over all memory regions
    uint32_t mr_runs = 262144;               // guest-physical runs of one memory region
    uint64_t total_mr_runs = 4194304;        // over all memory regions
};

// How many objects of each kind a guest holds.
struct ObjectCounts {
#define VRDMA_COUNT(field, old_key, name, limit, max_limit, rnic_limit) uint32_t field = 0;
    VRDMA_OBJECT_KINDS(VRDMA_COUNT)
#undef VRDMA_COUNT
    uint64_t registered_bytes = 0;
};

// One row of the table.
struct ObjectKind {
    const char* key;
    const char* old_key;  // or null
    const char* name;
    uint32_t Limits::*limit;
    uint32_t ObjectCounts::*count;
    uint32_t max_limit;
    uint32_t rnic::DeviceAttributes::*rnic_limit;  // or null
};

// object_kind::protection_domains and so on, each a row.
namespace object_kind {
using rnic::DeviceAttributes;
#define VRDMA_KIND(field, old_key, name, limit, max_limit, rnic_limit) \
    inline constexpr ObjectKind field{                                 \
        #field, old_key, name, &Limits::field, &ObjectCounts::field, max_limit, rnic_limit};
VRDMA_OBJECT_KINDS(VRDMA_KIND)
#undef VRDMA_KIND
}  // namespace object_kind

inline constexpr ObjectKind kObjectKinds[] = {
#define VRDMA_KIND(field, ...) object_kind::field,
    VRDMA_OBJECT_KINDS(VRDMA_KIND)
#undef VRDMA_KIND
};

// How many objects of a kind a guest can have, and so the bound of their handles: the lowest of
// the operator's limit, the RNIC's and what the table allows (CQs and QPs have a place in the
// doorbell area), at least one.
constexpr uint32_t handle_limit(const ObjectKind& kind, const Limits& limits,
                                const rnic::DeviceAttributes& attributes) {
    uint32_t bound = std::min(limits.*kind.limit, kind.max_limit);
    if (kind.rnic_limit != nullptr) {
        bound = std::min(bound, attributes.*kind.rnic_limit);
    }
    return std::max(1U, bound);
}

}  // namespace vrdma::device
