// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The kinds of objects that a guest holds, the amounts and the rates that it may have, listed once.
// Limits has a field for each row, GuestBudgets a budget for each kind and amount; the
// configuration's [limits], the status and the tests go through kObjectKinds and kLimitKeys.
#pragma once

#include <vrdma_doorbell.h>

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "rnic/attributes.h"
#include "rnic/traffic_limits.h"

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
    X(xrc_domains, nullptr, "domains of extended connections", 256, 65536, nullptr)               \
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

// One row for each amount:
//   field      as above
//   name       in log messages, plural
//   limit      of one virtual machine, unless the operator sets another limit
//   max_limit  the highest limit that the operator can set
// mr_runs is what one verb may name, all others are sums over what the guest has.  region_bytes and
// memory_slots are what the VMM may have in a table of regions, see vhost::MemoryBudgets.
#define VRDMA_AMOUNTS(X)                                                                         \
    X(registered_bytes, "bytes of memory regions", uint64_t{1} << 40, INT64_MAX)                 \
    X(mr_runs, "guest-physical runs of one memory region", 262144, 16777216)                     \
    X(total_mr_runs, "guest-physical runs of memory regions", 4194304, INT64_MAX)                \
    X(region_bytes, "bytes of RAM that the VMM hands over", uint64_t{2} << 40, INT64_MAX)        \
    X(memory_slots, "regions of RAM that the VMM hands over", 509, 509)                          \
    X(ring_bytes, "bytes of rings", uint64_t{1} << 30, INT64_MAX)                                \
    X(shared_memory_bytes, "bytes mapped into the shared memory region", uint64_t{1} << 40,      \
      INT64_MAX)                                                                                 \
    X(connections, "connections and listeners of the connection manager", 8192, 65536)           \
    X(connection_backlog, "connection requests that listeners may have waiting", 65536, 1 << 24) \
    X(connection_events, "events of the connection manager that wait for the guest", 16384, 1 << 24)

// One row for each rate, and for what belongs to one; 0 as a rate is no limit:
//   field, limit, max_limit  as above
//   min_limit                the lowest limit that the operator can set
#define VRDMA_RATES(X)                                                             \
    X(commands_per_second, 0, 0, INT64_MAX)                                        \
    X(command_burst, 1000, 1, INT64_MAX)                                           \
    X(messages_per_second, 0, 0, INT64_MAX)                                        \
    X(bytes_per_second, 0, 0, INT64_MAX)                                           \
    X(burst_ms, 10, rnic::TrafficLimits::kMinBurst / std::chrono::milliseconds(1), \
      rnic::TrafficLimits::kMaxBurst / std::chrono::milliseconds(1))               \
    X(weight, 1, 1, rnic::TrafficLimits::kMaxWeight)

namespace vrdma::device {

// The limits of one virtual machine: how many objects of each kind it may hold at once, how much of
// each amount, and how fast it may go.  Where the RNIC's own limit is lower, the RNIC's counts.
// The operator sets the limits, see docs/operations.md.
struct Limits {
#define VRDMA_LIMIT(field, old_key, name, limit, max_limit, rnic_limit) uint64_t field = limit;
    VRDMA_OBJECT_KINDS(VRDMA_LIMIT)
#undef VRDMA_LIMIT
#define VRDMA_LIMIT(field, name, limit, max_limit) uint64_t field = limit;
    VRDMA_AMOUNTS(VRDMA_LIMIT)
#undef VRDMA_LIMIT
#define VRDMA_LIMIT(field, limit, min_limit, max_limit) uint64_t field = limit;
    VRDMA_RATES(VRDMA_LIMIT)
#undef VRDMA_LIMIT

    bool operator==(const Limits&) const = default;
};

// How many objects of each kind a guest holds.
struct ObjectCounts {
#define VRDMA_COUNT(field, old_key, name, limit, max_limit, rnic_limit) uint32_t field = 0;
    VRDMA_OBJECT_KINDS(VRDMA_COUNT)
#undef VRDMA_COUNT
    uint64_t registered_bytes = 0;
};

// One row of the kinds.
struct ObjectKind {
    const char* key;
    const char* old_key;  // or null
    const char* name;
    uint64_t Limits::*limit;
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

// One limit, as the operator sets it.
struct LimitKey {
    const char* key;
    const char* old_key;  // or null
    uint64_t Limits::*limit;
    uint64_t min_limit;
    uint64_t max_limit;
};

// All limits: of kinds, of amounts, and rates.
inline constexpr LimitKey kLimitKeys[] = {
#define VRDMA_KEY(field, old_key, name, limit, max_limit, rnic_limit) \
    {#field, old_key, &Limits::field, 1, max_limit},
    VRDMA_OBJECT_KINDS(VRDMA_KEY)
#undef VRDMA_KEY
#define VRDMA_KEY(field, name, limit, max_limit) {#field, nullptr, &Limits::field, 1, max_limit},
        VRDMA_AMOUNTS(VRDMA_KEY)
#undef VRDMA_KEY
#define VRDMA_KEY(field, limit, min_limit, max_limit) \
    {#field, nullptr, &Limits::field, min_limit, max_limit},
            VRDMA_RATES(VRDMA_KEY)
#undef VRDMA_KEY
};

// How many objects of a kind any guest can have, and so the bound of their handles, whatever the
// operator's limit is meanwhile: the lower one of the RNIC's limit and what the table allows (CQs
// and QPs have a place in the doorbell area), at least one.
constexpr uint32_t handle_bound(const ObjectKind& kind, const rnic::DeviceAttributes& attributes) {
    uint32_t bound = kind.max_limit;
    if (kind.rnic_limit != nullptr) {
        bound = std::min(bound, attributes.*kind.rnic_limit);
    }
    return std::max(1U, bound);
}

// How many objects of a kind a guest can have now.  A limit of 0, which the configuration does not
// take, is that of a guest that gets nothing new.
constexpr uint32_t object_limit(const ObjectKind& kind, const Limits& limits,
                                const rnic::DeviceAttributes& attributes) {
    const uint64_t bound = handle_bound(kind, attributes);
    return static_cast<uint32_t>(std::min(bound, limits.*kind.limit));
}

// The part of the limits that the RNIC keeps by itself.
constexpr rnic::TrafficLimits traffic_limits(const Limits& limits) {
    return {.weight = static_cast<uint32_t>(limits.weight),
            .bytes_per_second = limits.bytes_per_second,
            .messages_per_second = limits.messages_per_second,
            .burst = std::chrono::milliseconds(limits.burst_ms)};
}

}  // namespace vrdma::device
