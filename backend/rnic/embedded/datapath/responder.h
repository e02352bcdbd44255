// SPDX-License-Identifier: Apache-2.0
// The responder's side of a message; called on the requester's worker.
#pragma once

#include <cstdint>

#include "rnic/embedded/keys/fast_registration.h"
#include "rnic/embedded/keys/scatter_list.h"
#include "rnic/verbs_abi.h"

namespace vrdma::embedded {

class Qp;
class Worker;

// How the responder takes a request: accepted, or with which NAK (IBTA 1.4, 9.7.5.2).
enum class Verdict {
    kAccepted,
    kNotReady,
    kInvalidRequest,
    kAccessError,
    kOperationError,
};

// Takes a receive request for a message of `length` bytes, of which it must hold
// `room`.  The caller holds peer.receive.lock, as for the next two.
Verdict open_receive(Qp& peer, uint64_t room);

// Where the message's bytes [done, done + rest) go.
Verdict scatter_receive(Qp& peer, uint64_t done, uint64_t rest, ScatterList& list);

struct Arrival {
    WcOpcode opcode = WcOpcode::kReceive;
    uint64_t length = 0;
    uint32_t flags = 0;
    uint32_t immediate = 0;
    uint32_t source_qp = 0;
    bool solicited = false;
};
// The message is there: completes the receive request.
void close_receive(Qp& peer, const Arrival& arrival);

// Before close_receive(), of a message that invalidates `key`, by the worker `self`.
// kRefused: the receive request has failed (IBTA 1.4, 9.9.3, class J).
Invalidation invalidate_for_receive(Qp& peer, uint32_t key, const Worker& self);

// Invalidates a key for `qp`, whose own or whose peer's request asks for it.
Invalidation invalidate_key(Qp& qp, uint32_t key, bool remote, const Worker& self);

// A request that takes no receive request is refused: a responder of a reliable
// connection goes to the error state and says why (IBTA 1.4, 9.9.3, class C).
Verdict refuse(Qp& peer, Verdict verdict);

// Completes what is left in the receive queue of a queue pair in the error state, a
// bounded number at a time.  True when nothing is left.
bool flush_receives(Qp& qp);

// Puts a completion into `cq`, one of qp's; overflow is fatal to the queue pair.
class Cq;
struct Completion;
void post_completion(Qp& qp, Cq& cq, const Completion& completion);

}  // namespace vrdma::embedded
