// SPDX-License-Identifier: Apache-2.0
// Work requests that register memory and invalidate keys (IBTA 1.4, 10.6.5, 11.4.1.1).
#include <algorithm>

#include "rnic/embedded/datapath/requester.h"
#include "rnic/embedded/engine.h"
#include "rnic/embedded/verbs/qp.h"

namespace vrdma::embedded {
namespace {

// What finding a page costs, in the bytes that could be copied meanwhile.
constexpr uint64_t kBytesPerPage = 512;

}  // namespace

Requester::Step Requester::register_memory(Qp& qp, uint64_t& budget) {
    const SendRequest& request = qp.send.request;
    Mr* mr = qp.port.mrs.at(request.reg.key);
    if (mr == nullptr || mr->max_pages() == 0 || mr->pd() != &qp.pd) {
        return complete(WcStatus::kMemoryManagementError);
    }
    budget -= std::min(budget, mr->max_pages() * kBytesPerPage);
    switch (mr->register_pages(request.reg.key, request.reg.access)) {
        case Mr::Registration::kDone:
            return complete(WcStatus::kSuccess);
        case Mr::Registration::kPending:
            return partial();
        case Mr::Registration::kRefused:
            break;
    }
    return complete(WcStatus::kMemoryManagementError);
}

Requester::Step Requester::invalidate(Qp& qp) {
    switch (invalidate_key(qp, qp.send.request.immediate, false, qp.port.worker)) {
        case Invalidation::kDone:
            return complete(WcStatus::kSuccess);
        case Invalidation::kPending:
            return partial();
        case Invalidation::kRefused:
            break;
    }
    return complete(WcStatus::kMemoryManagementError);
}

Requester::Step Requester::bind_window(Qp& qp) {
    const auto& bind = qp.send.request.bind;
    Mw* mw = qp.port.mws.at(bind.current_key);
    if (mw == nullptr) return complete(WcStatus::kMemoryManagementError);
    Mr* mr = bind.length != 0 ? qp.port.mrs.at(bind.lkey) : nullptr;
    if (mr != nullptr && mr->lkey() != bind.lkey) mr = nullptr;
    switch (mw->bind(qp, {.current_key = bind.current_key,
                          .key = bind.key,
                          .mr = mr,
                          .address = bind.address,
                          .length = bind.length,
                          .access = bind.access})) {
        case Invalidation::kDone:
            return complete(WcStatus::kSuccess);
        case Invalidation::kPending:
            return partial();
        case Invalidation::kRefused:
            break;
    }
    return complete(WcStatus::kMemoryManagementError);
}

}  // namespace vrdma::embedded
