// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/contexts/srq_context.h"

#include <mutex>

namespace vrdma::embedded {

std::optional<WcStatus> SrqContext::take(ReceiveRequest& request) {
    WcStatus status;
    bool reached = false;
    {
        const std::lock_guard lock(lock_);
        if (queue_.empty()) {
            return std::nullopt;
        }
        status = queue_.take(request);
        if (limit_ != 0) [[unlikely]] {
            reached = take_limit();
        }
    }
    if (reached) [[unlikely]] {
        sink_.async_event(rnic::AsyncEventType::kSrqLimitReached, handle_);
    }
    return status;
}

// Whether the queue is below its limit, which is then no longer armed.
bool SrqContext::take_limit() {
    const bool reached = queue_.pending() < limit_;
    if (reached) {
        limit_ = 0;
    }
    return reached;
}

uint32_t SrqContext::limit() const {
    const std::lock_guard lock(lock_);
    return limit_;
}

void SrqContext::arm_limit(uint32_t limit) {
    bool reached;
    {
        const std::lock_guard lock(lock_);
        limit_ = limit;
        // IBTA 1.4, 10.2.9: arming a queue that is below the limit already reports at once.
        reached = take_limit();
    }
    if (reached) {
        sink_.async_event(rnic::AsyncEventType::kSrqLimitReached, handle_);
    }
}

}  // namespace vrdma::embedded
