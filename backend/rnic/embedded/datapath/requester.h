// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>

#include "rnic/embedded/contexts/qp_context.h"
#include "rnic/embedded/datapath/atomic_unit.h"
#include "rnic/embedded/datapath/responder.h"
#include "rnic/embedded/datapath/retry_timers.h"
#include "rnic/embedded/fabric/fabric.h"
#include "rnic/embedded/keys/scatter_list.h"

namespace vrdma::embedded {

// Executes send queues (IBTA 1.4, 9.6 to 9.9). A message is carried out in order and completely
// before the next one begins, so every ordering rule and every fence of chapter 10.8.3 holds by
// construction.
class Requester {
  public:
    enum class Progress {
        kIdle,     // nothing left to do until the doorbell rings or a verb calls
        kMore,     // the turn is over
        kWaiting,  // for `delay_ns`, then again
    };
    struct Outcome {
        Progress progress = Progress::kIdle;
        uint64_t delay_ns = 0;  // or kForever
    };

    // `slices.self` is the worker that this requester works on.
    Requester(const Fabric& fabric, AtomicUnit& atomics, const WorkerSlices& slices)
        : fabric_(fabric), atomics_(atomics), slices_(slices) {}

    // One turn of the queue pair; it is bounded by what it costs.
    Outcome run(QpContext& qp, Turn& turn);

  private:
    struct Step {
        enum class Kind : uint8_t { kComplete, kPartial, kWait } kind;
        WcStatus status = WcStatus::kSuccess;
        uint64_t delay_ns = 0;
    };
    static Step complete(WcStatus status) { return {Step::Kind::kComplete, status}; }
    static Step partial() { return {Step::Kind::kPartial}; }
    static Step wait(uint64_t delay_ns) {
        return {Step::Kind::kWait, WcStatus::kSuccess, delay_ns};
    }

    // requester.cc
    static Outcome run_other_state(QpContext& qp, QpState state, Turn& turn);
    Step execute(QpContext& qp, Turn& turn);
    static void finish(QpContext& qp, WcStatus status, Turn& turn);
    static void fail_send_queue(QpContext& qp);
    static bool flush_sends(QpContext& qp, Turn& turn);
    static void report_drained(QpContext& qp);
    static Arrival arrival_of(const QpContext& qp, WcOpcode opcode, bool immediate);

    // requester_connected.cc. An operation moves what the turn has room for.
    Step send(QpContext& qp, Turn& turn);
    Step write(QpContext& qp, Turn& turn);
    Step read(QpContext& qp, Turn& turn);
    Step atomic(QpContext& qp);
    QpContext* reach(QpContext& qp);
    QpContext* find_peer(QpContext& qp);
    static Step unreachable(QpContext& qp);
    static Step refused(QpContext& qp, const QpContext& peer, Verdict verdict);

    // requester_datagram.cc
    // What a receiver learns of a datagram's frame.
    struct Frame {
        uint16_t vlan;
        uint8_t packet_type;  // of write_network_header()
    };
    Step datagram(QpContext& qp, Turn& turn);
    bool multicast(QpContext& qp, const rnic::Gid& group, const ScatterList& from, Frame frame,
                   Turn& turn);
    static void deliver(const QpContext& qp, QpContext& peer, const ScatterList& from, Frame frame);
    static const rnic::AhAttributes* address_of(const QpContext& qp);
    QpContext* datagram_peer(const rnic::AhAttributes& address, uint32_t number, Segment segment,
                             Frame& frame) const;

    // requester_registration.cc
    Step register_memory(QpContext& qp, Turn& turn);
    Step invalidate(QpContext& qp);
    Step bind_window(QpContext& qp);

    const Fabric& fabric_;
    AtomicUnit& atomics_;
    const WorkerSlices slices_;
};

}  // namespace vrdma::embedded
