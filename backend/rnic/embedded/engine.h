// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "rnic/embedded/datapath/port_context.h"
#include "rnic/embedded/datapath/worker.h"
#include "rnic/embedded/embedded_rnic.h"
#include "rnic/embedded/fabric/gid_table.h"
#include "rnic/embedded/fabric/multicast_groups.h"
#include "rnic/embedded/live_count.h"
#include "rnic/embedded/sync/gate.h"
#include "rnic/embedded/verbs/cq.h"

namespace vrdma::embedded {

// Queue pairs by number, across all ports.  Changed in a Pause only.
class QpTable {
  public:
    // A number that no other queue pair has and that was not used for long; 0: none left.
    uint32_t insert(Qp& qp);
    void erase(uint32_t number);

    Qp* find(uint32_t number) const {
        const uint32_t slot = number & kSlotMask;
        return slot < entries_.size() && entries_[slot].number == number ? entries_[slot].qp
                                                                         : nullptr;
    }

  private:
    // 24 bits: a slot, and above it a variant that changes with each use of the slot.
    static constexpr uint32_t kSlotBits = 18;
    static constexpr uint32_t kSlotMask = (1u << kSlotBits) - 1;
    static constexpr uint32_t kVariantMask = (1u << (24 - kSlotBits)) - 1;
    struct Entry {
        Qp* qp = nullptr;
        uint32_t number = 0;
        uint32_t variant = 0;
    };
    std::vector<Entry> entries_{2};  // QP 0 and 1 are the management ones
    std::deque<uint32_t> free_;
};

// What the workers and the verbs of all ports share.
class Engine {
  public:
    Engine(const EmbeddedConfig& config, std::shared_ptr<spdlog::logger> logger);
    ~Engine();

    // The home of a new port: the worker that has the fewest.
    Worker& least_busy_worker();

    // A CQ of `port` has overflowed; its queue pairs go to the error state soon.
    void report_failed_cq(PortState& port);

    // In a Pause: addresses or queue pairs have changed, so known paths may be wrong.
    void forget_paths() { ++generation; }

    const EmbeddedLimits limits;
    const std::shared_ptr<Clock> clock;
    const std::shared_ptr<spdlog::logger> logger;

    Gate gate;
    LiveObjects live;
    QpTable qps;
    AddressMap addresses;
    MulticastGroups groups;
    uint64_t generation = 1;
    SpinLock unaligned_atomics;  // see Requester

    std::vector<std::unique_ptr<Worker>> workers;  // at least one
};

}  // namespace vrdma::embedded
