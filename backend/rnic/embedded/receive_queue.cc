// SPDX-License-Identifier: Apache-2.0
#include "rnic/embedded/receive_queue.h"

#include <mutex>

#include "rnic/embedded/engine.h"

namespace vrdma::embedded {

Srq::Srq(PortState& port, uint32_t handle, const Pd& pd, rnic::SrqAttributes attributes, Ring ring,
         LiveCount count, LiveCount bytes)
    : queue_(std::move(ring), attributes.max_sge),
      attributes_(attributes),
      handle_(handle),
      pd_(pd),
      port_(port),
      count_(std::move(count)),
      bytes_(std::move(bytes)) {}

Result<void> Srq::modify(uint32_t attr_mask, const rnic::SrqAttributes& attributes, rnic::Udata&) {
    // Whether the queue is resized or not, librxe sends its udata along.
    if ((attr_mask & kSrqAttrMaxWr) != 0) return fail(EOPNOTSUPP);
    if ((attr_mask & ~kSrqAttrLimit) != 0) return fail(EINVAL);
    if ((attr_mask & kSrqAttrLimit) == 0) return {};
    if (attributes.srq_limit > attributes_.max_wr) return fail(EINVAL);
    bool reached;
    {
        std::lock_guard lock(lock_);
        attributes_.srq_limit = attributes.srq_limit;
        // IBTA 1.4, 10.2.9: arming a queue that is below the limit already reports at once.
        reached = queue_.ring().pending() < attributes_.srq_limit;
        if (reached) attributes_.srq_limit = 0;
    }
    if (reached) port_.sink.async_event(rnic::AsyncEventType::kSrqLimitReached, handle_);
    return {};
}

Result<rnic::SrqAttributes> Srq::query() {
    std::lock_guard lock(lock_);
    return attributes_;
}

std::optional<WcStatus> Srq::take(ReceiveRequest& request) {
    WcStatus status;
    bool reached = false;
    {
        std::lock_guard lock(lock_);
        if (queue_.empty()) return std::nullopt;
        status = queue_.take(request);
        if (attributes_.srq_limit != 0) [[unlikely]] {
            reached = queue_.ring().pending() < attributes_.srq_limit;
            if (reached) attributes_.srq_limit = 0;
        }
    }
    if (reached) [[unlikely]] {
        port_.sink.async_event(rnic::AsyncEventType::kSrqLimitReached, handle_);
    }
    return status;
}

}  // namespace vrdma::embedded
