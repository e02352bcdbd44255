// SPDX-License-Identifier: Apache-2.0
#include "rnic/embedded/datapath/requester.h"

#include "rnic/embedded/engine.h"
#include "rnic/embedded/verbs/qp.h"

namespace vrdma::embedded {
namespace {

// Large enough to amortise the turn, small enough that the others wait microseconds.
constexpr unsigned kRequestsPerSlice = 64;
constexpr uint64_t kBytesPerSlice = 256 * 1024;

Completion completion_of(const Qp& qp, WcStatus status) {
    const SendRequest& request = qp.send.request;
    return {.wr_id = request.wr_id,
            .status = status,
            .opcode = completion_opcode(request.opcode),
            .byte_length = is_atomic(request.opcode) ? 8 : static_cast<uint32_t>(request.length),
            .qp_number = qp.number};
}

}  // namespace

Requester::Outcome Requester::run(Qp& qp) {
    SendSide& send = qp.send;
    uint64_t budget = kBytesPerSlice;
    for (unsigned n = 0; n < kRequestsPerSlice; ++n) {
        const QpState state = qp.state.load(std::memory_order_acquire);
        if (state != QpState::kReadyToSend) [[unlikely]] {
            // A message that has begun is carried through before the queue is drained.
            if (state != QpState::kSendQueueDrained || !send.in_progress) {
                return run_other_state(qp, state);
            }
        }
        if (!send.in_progress) {
            if (send.ring.empty()) return {Progress::kIdle};
            begin(qp);
        }
        const Step step = execute(qp, budget);
        switch (step.kind) {
            case Step::Kind::kComplete:
                finish(qp, step.status);
                break;
            case Step::Kind::kPartial:
                break;
            case Step::Kind::kWait:
                return {Progress::kWaiting, step.delay_ns};
        }
        if (budget == 0) break;
    }
    return {Progress::kMore};
}

Requester::Outcome Requester::run_other_state(Qp& qp, QpState state) {
    switch (state) {
        case QpState::kSendQueueDrained:
            report_drained(qp);
            return {Progress::kIdle};
        case QpState::kSendQueueError:
            return {flush_sends(qp) ? Progress::kIdle : Progress::kMore};
        case QpState::kError: {
            const bool sends_flushed = flush_sends(qp);
            const bool receives_flushed = flush_receives(qp);
            return {sends_flushed && receives_flushed ? Progress::kIdle : Progress::kMore};
        }
        default:
            // Nothing is sent before RTS; what is posted stays posted (IBTA 1.4, 10.3.1).
            return {Progress::kIdle};
    }
}

void Requester::begin(Qp& qp) {
    SendSide& send = qp.send;
    send.defect = parse_send_request(send.ring.front(), send.limits, qp.type, send.request);
    send.in_progress = true;
    send.opened_at_peer = false;
    send.done = 0;
    send.timeouts = 0;
    send.rnr_naks = 0;
}

void Requester::finish(Qp& qp, WcStatus status) {
    SendSide& send = qp.send;
    send.in_progress = false;
    // The slot is free before the completion tells so.
    send.ring.pop();
    if (status == WcStatus::kSuccess) [[likely]] {
        if (send.signal_all || send.request.signaled()) {
            post_completion(qp, qp.send_cq, completion_of(qp, status));
        }
        return;
    }
    post_completion(qp, qp.send_cq, completion_of(qp, status));
    fail_send_queue(qp);
}

// IBTA 1.4, 10.3.1.5 and 10.3.1.7: an error of a reliable connection ends both its
// halves, one of the other types only the sending.
void Requester::fail_send_queue(Qp& qp) {
    if (qp.type == QpType::kRc) {
        qp.enter_error();
        return;
    }
    QpState expected = QpState::kReadyToSend;
    qp.state.compare_exchange_strong(expected, QpState::kSendQueueError, std::memory_order_acq_rel);
}

// True when nothing is left to flush.
bool Requester::flush_sends(Qp& qp) {
    SendSide& send = qp.send;
    send.in_progress = false;
    for (unsigned n = 0; n < kRequestsPerSlice; ++n) {
        if (send.ring.empty()) return true;
        const FlushedRequest request = parse_flushed_send(send.ring.front());
        send.ring.pop();
        post_completion(qp, qp.send_cq,
                        {.wr_id = request.wr_id,
                         .status = WcStatus::kFlushed,
                         .opcode = request.opcode,
                         .qp_number = qp.number});
    }
    return false;
}

void Requester::report_drained(Qp& qp) {
    if (qp.send.drain_reported) return;
    qp.send.drain_reported = true;
    if (qp.attributes.en_sqd_async_notify != 0) {
        qp.port.sink.async_event(rnic::AsyncEventType::kSqDrained, qp.handle);
    }
}

}  // namespace vrdma::embedded
