// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/contexts/qp_context.h"

namespace vrdma::embedded {

QpContext::QpContext(PortContext& port, Init init)
    : port_(port),
      send_cq_(init.send_cq),
      recv_cq_(init.recv_cq),
      type_(init.type),
      handle_(init.handle),
      windows_(init.pd, init.handle),
      send_(std::move(init.send_ring), {init.cap.max_send_sge, init.cap.max_inline_data},
            init.signal_all),
      receive_(ReceiveQueue(std::move(init.receive_ring), init.cap.max_recv_sge), init.srq) {
    attributes_.cap = init.cap;
}

bool QpContext::fail() {
    if (state_.exchange(QpState::kError, std::memory_order_acq_rel) == QpState::kError) {
        return false;
    }
    port_.sink().async_event(rnic::AsyncEventType::kQpFatal, handle_);
    return true;
}

void QpContext::stop_sending() {
    QpState expected = QpState::kReadyToSend;
    state_.compare_exchange_strong(expected, QpState::kSendQueueError, std::memory_order_acq_rel);
}

void QpContext::cq_overflowed() {
    if (fail()) {
        call_home();
    }
}

}  // namespace vrdma::embedded
