// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/contexts/cq_context.h"

namespace vrdma::embedded {

void CqContext::notify(bool solicited) {
    if (arming_.complete(solicited)) {
        port_.sink().completion(comp_vector_, handle_);
    }
}

void CqContext::look_for_missed() {
    lock_.lock();
    const bool waiting = ring_.any_waiting();
    lock_.unlock();
    if (waiting && arming_.disarm()) {
        port_.sink().completion(comp_vector_, handle_);
    }
}

bool CqContext::overflow() {
    const bool first = !failed_.exchange(true, std::memory_order_relaxed);
    lock_.unlock();
    if (first) {
        port_.sink().async_event(rnic::AsyncEventType::kCqError, handle_);
        port_.report_failed_cq();
    }
    return false;
}

}  // namespace vrdma::embedded
