// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "budget.h"
#include "device/object_kinds.h"
#include "limit_log.h"
#include "rnic/port_budgets.h"
#include "rnic/traffic_limits.h"
#include "vhost/protocol/memory_table.h"

namespace vrdma::device {

// The budgets of one virtual machine, from the start of the daemon to its end: what its guests
// have goes with them, and how often they reached a limit stays.  Any thread.
class GuestBudgets {
  public:
    GuestBudgets(std::string guest, const Limits& limits, const rnic::DeviceAttributes& attributes,
                 std::shared_ptr<spdlog::logger> logger,
                 const std::shared_ptr<LimitSignal>& signal = nullptr)
        : attributes_(attributes),
          log_(std::move(guest), std::move(logger), signal),
          traffic(signal) {
        set_limits(limits);
    }
    GuestBudgets(const GuestBudgets&) = delete;
    GuestBudgets& operator=(const GuestBudgets&) = delete;

    // Changes the limits of kinds and amounts.  What the guest has stays, also above a limit.
    void set_limits(const Limits& limits) {
#define VRDMA_SET(field, ...) \
    field.set_limit(object_limit(object_kind::field, limits, attributes_));
        VRDMA_OBJECT_KINDS(VRDMA_SET)
#undef VRDMA_SET
#define VRDMA_SET(field, ...) field.set_limit(limits.field);
        VRDMA_AMOUNTS(VRDMA_SET)
#undef VRDMA_SET
    }

    ObjectCounts counts() const {
        return {
#define VRDMA_COUNT(field, ...) .field = static_cast<uint32_t>(field.used()),
            VRDMA_OBJECT_KINDS(VRDMA_COUNT)
#undef VRDMA_COUNT
                .registered_bytes = registered_bytes.used(),
        };
    }

    // Whether the guest has no object of any kind.
    bool no_objects() const {
        uint64_t sum = 0;
#define VRDMA_ADD(field, ...) sum += field.used();
        VRDMA_OBJECT_KINDS(VRDMA_ADD)
#undef VRDMA_ADD
        return sum == 0;
    }

    // What the RNIC charges.
    rnic::PortBudgets of_port() {
        return {.ring_bytes = &ring_bytes,
                .connections = &connections,
                .connection_backlog = &connection_backlog,
                .connection_events = &connection_events,
                .traffic = &traffic};
    }

    // What the VMM's memory is charged to.
    vhost::MemoryBudgets of_vmm() {
        return {.region_bytes = &region_bytes, .memory_slots = &memory_slots};
    }

    // All budgets, in the order of the lists.
    std::vector<const Budget*> all() const {
        return {
#define VRDMA_BUDGET(field, ...) &field,
            VRDMA_OBJECT_KINDS(VRDMA_BUDGET) VRDMA_AMOUNTS(VRDMA_BUDGET)
#undef VRDMA_BUDGET
        };
    }

  private:
    const rnic::DeviceAttributes attributes_;
    LimitLog log_;

  public:
#define VRDMA_BUDGET(field, old_key, name, limit, max_limit, rnic_limit) \
    Budget field{#field, name, limit, log_};
    VRDMA_OBJECT_KINDS(VRDMA_BUDGET)
#undef VRDMA_BUDGET
#define VRDMA_BUDGET(field, name, limit, max_limit) Budget field{#field, name, limit, log_};
    VRDMA_AMOUNTS(VRDMA_BUDGET)
#undef VRDMA_BUDGET
    rnic::TrafficReached traffic;
};
static_assert(Limits{}.memory_slots == vhost::kMaxMemorySlots);

}  // namespace vrdma::device
