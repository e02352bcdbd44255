// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/datapath/requester.h"

namespace vrdma::embedded {
namespace {

Completion completion_of(const QpContext& qp, WcStatus status) {
    const SendRequest& request = qp.send().request();
    return {.wr_id = request.wr_id,
            .status = status,
            .opcode = completion_opcode(request.opcode),
            .byte_length = is_atomic(request.opcode) ? 8 : static_cast<uint32_t>(request.length),
            .qp_number = qp.number()};
}

}  // namespace

Requester::Outcome Requester::run(QpContext& qp, Turn& turn) {
    SendState& send = qp.send();
    do {
        const QpState state = qp.state();
        if (state != QpState::kReadyToSend) [[unlikely]] {
            // A message that has begun is carried through before the queue is drained.
            if (state != QpState::kSendQueueDrained || !send.in_progress()) {
                return run_other_state(qp, state, turn);
            }
        }
        if (!send.in_progress()) {
            if (!send.anything_posted()) {
                return {Progress::kIdle};
            }
            send.begin(qp.type());
        }
        const Step step = execute(qp, turn);
        if (step.kind == Step::Kind::kComplete) [[likely]] {
            finish(qp, step.status, turn);
        } else if (step.kind == Step::Kind::kPartial) {
            turn.spend(kPartCost);
        } else {
            turn.waste(kMessageCost);
            return {Progress::kWaiting, step.delay_ns};
        }
    } while (!turn.is_over());
    return {Progress::kMore};
}

Requester::Outcome Requester::run_other_state(QpContext& qp, QpState state, Turn& turn) {
    switch (state) {
        case QpState::kSendQueueDrained:
            report_drained(qp);
            return {Progress::kIdle};
        case QpState::kSendQueueError:
            return {flush_sends(qp, turn) ? Progress::kIdle : Progress::kMore};
        case QpState::kError:
            return {flush_sends(qp, turn) && flush_receives(qp, turn) ? Progress::kIdle
                                                                      : Progress::kMore};
        default:
            // Nothing is sent before RTS; what is posted stays posted (IBTA 1.4, 10.3.1).
            return {Progress::kIdle};
    }
}

Requester::Step Requester::execute(QpContext& qp, Turn& turn) {
    const SendState& state = qp.send();
    if (state.defect() != WcStatus::kSuccess) {
        return complete(state.defect());
    }
    // The transport does not matter: a datagram queue pair has no peer that a write would find.
    if (state.request().opcode == WrOpcode::kRdmaWrite) [[likely]] {
        return write(qp, turn);
    }
    if (is_datagram(qp.type())) {
        return datagram(qp, turn);
    }
    const bool reliable = qp.type() == QpType::kRc;
    switch (state.request().opcode) {
        case WrOpcode::kRdmaWrite:
        case WrOpcode::kRdmaWriteWithImmediate:
            return write(qp, turn);
        case WrOpcode::kSend:
        case WrOpcode::kSendWithImmediate:
            return send(qp, turn);
        case WrOpcode::kRdmaRead:
            if (reliable) {
                return read(qp, turn);
            }
            break;
        case WrOpcode::kSendWithInvalidate:
            if (reliable) {
                return send(qp, turn);
            }
            break;
        case WrOpcode::kRegisterMr:
            return register_memory(qp, turn);
        case WrOpcode::kLocalInvalidate:
            return invalidate(qp);
        case WrOpcode::kBindWindow:
            return bind_window(qp);
        case WrOpcode::kCompareAndSwap:
        case WrOpcode::kFetchAndAdd:
            if (reliable) {
                return atomic(qp);
            }
            break;
    }
    return complete(WcStatus::kLocalQpOperationError);
}

void Requester::finish(QpContext& qp, WcStatus status, Turn& turn) {
    // The slot is free before the completion tells so.
    qp.send().end();
    if (status == WcStatus::kSuccess) [[likely]] {
        turn.count_message();
        qp.requested().count(qp.send().request().opcode, qp.send().request().length);
        if (qp.send().wants_completion()) {
            qp.complete_send(completion_of(qp, status));
        }
        return;
    }
    turn.waste(kMessageCost);
    qp.port().errors().count(VRDMA_COUNTER_REQ_CQE_ERROR);
    qp.port().activity().count_failure(status);
    qp.complete_send(completion_of(qp, status));
    fail_send_queue(qp);
}

// IBTA 1.4, 10.3.1.5 and 10.3.1.7: an error of a reliable connection ends both its halves, one of
// the other types only the sending.
void Requester::fail_send_queue(QpContext& qp) {
    if (qp.type() == QpType::kRc) {
        qp.enter_error();
    } else {
        qp.stop_sending();
    }
}

// True when nothing is left to flush.
bool Requester::flush_sends(QpContext& qp, Turn& turn) {
    SendState& send = qp.send();
    send.give_up();
    for (; !turn.is_over(); turn.waste(kFlushCost)) {
        if (!send.anything_posted()) {
            return true;
        }
        const FlushedRequest request = send.take_flushed();
        qp.port().activity().count_failure(WcStatus::kFlushed);
        qp.complete_send({.wr_id = request.wr_id,
                          .status = WcStatus::kFlushed,
                          .opcode = request.opcode,
                          .qp_number = qp.number()});
    }
    return false;
}

void Requester::report_drained(QpContext& qp) {
    if (qp.send().report_drained() && qp.attributes().en_sqd_async_notify != 0) {
        qp.port().sink().async_event(rnic::AsyncEventType::kSqDrained, qp.handle());
    }
}

// How the message being sent arrives at its receiver.
Arrival Requester::arrival_of(const QpContext& qp, WcOpcode opcode, bool immediate) {
    const SendRequest& request = qp.send().request();
    return {.opcode = opcode,
            .length = request.length,
            .flags = immediate ? kWcWithImmediate : 0,
            .immediate = immediate ? request.immediate : 0,
            .solicited = (request.flags & kSendSolicited) != 0};
}

}  // namespace vrdma::embedded
