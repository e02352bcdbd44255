// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// An RNIC in this process. It presents the user ABI of the kernel's rxe driver
// (<rdma/rdma_user_rxe.h>), keeps its rings in shared memory, and executes work requests by copying
// between the memory of the guests that use it.
#pragma once

#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "rnic/live_objects.h"
#include "rnic/rnic.h"

namespace vrdma::embedded {

// The most that one port (that is, one virtual device) may have; the same is advertised.
struct EmbeddedLimits {
    uint32_t max_qp = 16384;
    uint32_t max_cq = 16384;
    uint32_t max_srq = 8192;
    uint32_t max_mr = 65536;
    uint32_t max_mw = 65536;
    uint32_t max_pd = 32768;
    uint32_t max_ah = 32768;
    uint32_t max_qp_wr = 16384;
    uint32_t max_srq_wr = 16384;
    // libfabric's rxm makes a CQ for 1,024 peers at once, of 786,432 elements. The file of the
    // rings is sparse: a CQ costs what completes into it.
    uint32_t max_cqe = 1048575;
    uint64_t ring_bytes_per_context = uint64_t{4} << 30;
};

// Nanoseconds of a clock that never goes back; the retry timers follow it.
class Clock {
  public:
    virtual ~Clock() = default;
    virtual uint64_t now_ns() = 0;
    // Has a verb of a guest that has had its share wait.
    virtual void sleep_ns(uint64_t duration) {
        std::this_thread::sleep_for(std::chrono::nanoseconds(duration));
    }
};

struct EmbeddedConfig {
    std::string name = "embedded0";
    // Workers that poll and copy. 0: none, and the caller drives poll_once() by itself.
    unsigned threads = 1;
    // How long a worker without work keeps looking before it sleeps.
    std::chrono::microseconds spin{50};
    EmbeddedLimits limits{};
    std::map<std::string, rnic::GuestAdmission> guests{};  // those that are admitted at first
    std::shared_ptr<Clock> clock{};                        // null: CLOCK_MONOTONIC
};

// Live objects of the whole RNIC, and the bytes of their rings.
struct EmbeddedCounters : rnic::LiveObjectCounts {
    uint64_t ring_bytes = 0;
    bool operator==(const EmbeddedCounters&) const = default;
};

class EmbeddedRnic : public rnic::Rnic {
  public:
    virtual EmbeddedCounters counters() const = 0;

    // How long and how often verbs have had all workers stand still.
    virtual std::chrono::nanoseconds paused() const = 0;
    virtual uint64_t pauses() const = 0;

    // With threads == 0: one round of the engine, that is, one look at the doorbells, the due
    // timers and one slice of one active queue pair. False when there was nothing to do. Must not
    // be called while a verb runs.
    virtual bool poll_once() = 0;
};

// Throws std::system_error or std::invalid_argument when the configuration cannot be had.
std::unique_ptr<EmbeddedRnic> make_embedded_rnic(const EmbeddedConfig& config,
                                                 std::shared_ptr<spdlog::logger> logger);

}  // namespace vrdma::embedded
