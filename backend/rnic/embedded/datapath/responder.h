// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The responder's side of a message; called on the requester's worker.
#pragma once

#include <cstdint>

#include "rnic/embedded/contexts/qp_context.h"
#include "rnic/embedded/keys/fast_registration.h"
#include "rnic/embedded/keys/scatter_list.h"

namespace vrdma::embedded {

// How the responder takes a request: accepted, or with which NAK (IBTA 1.4, 9.7.5.2).
enum class Verdict {
    kAccepted,
    kNotReady,
    kInvalidRequest,
    kAccessError,
    kOperationError,
};

// Takes a receive request, unless one is taken already, which must hold `room` bytes.
// The caller holds peer.receive()'s lock, as for the next three.
Verdict open_receive(QpContext& peer, uint64_t room);

// Adds the places of the message's bytes [done, done + rest) to `list`.
Verdict scatter_receive(QpContext& peer, uint64_t done, uint64_t rest, ScatterList& list);

struct Arrival {
    WcOpcode opcode = WcOpcode::kReceive;
    uint64_t length = 0;  // bytes
    uint32_t flags = 0;
    uint32_t immediate = 0;
    uint32_t source_qp = 0;
    uint16_t vlan = 0;
    uint8_t packet_type = 0;
    bool solicited = false;
};
// Completes the receive request, when the message is there.
void close_receive(QpContext& peer, const Arrival& arrival);

// Invalidates `key` for a message that asks for it, before close_receive(). The worker
// `slices.self` calls it. kRefused: the receive request has failed (IBTA 1.4, 9.9.3, class J).
Invalidation invalidate_for_receive(QpContext& peer, uint32_t key, const WorkerSlices& slices);

// A request that takes no receive request is refused: a responder of a reliable connection goes
// to the error state and says why (IBTA 1.4, 9.9.3, class C). Answers `verdict`.
Verdict refuse(QpContext& peer, Verdict verdict);

// Completes what is left in the receive queue of a queue pair in the error state, while the turn
// lasts. True when nothing is left.
bool flush_receives(QpContext& qp, Turn& turn);

}  // namespace vrdma::embedded
