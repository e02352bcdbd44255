// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Work requests that register memory, invalidate keys and bind windows (IBTA 1.4, 10.6.5, 10.6.7,
// 11.4.1.1).
#include "rnic/embedded/datapath/requester.h"

namespace vrdma::embedded {

Requester::Step Requester::register_memory(QpContext& qp, Turn& turn) {
    const SendRequest& request = qp.send().request();
    const KeySpace& keys = qp.port().keys();
    Region* region = keys.regions().at(request.reg.key);
    if (region == nullptr || region->max_pages() == 0 || region->pd() != &qp.pd()) {
        return complete(WcStatus::kMemoryManagementError);
    }
    turn.spend(region->max_pages() * kPageCost);
    switch (
        region->register_pages(request.reg.key, request.reg.access, keys.guest_memory(), slices_)) {
        case Registration::kDone:
            return complete(WcStatus::kSuccess);
        case Registration::kPending:
            return partial();
        case Registration::kRefused:
            break;
    }
    return complete(WcStatus::kMemoryManagementError);
}

Requester::Step Requester::invalidate(QpContext& qp) {
    const uint32_t key = qp.send().request().immediate;
    switch (qp.port().keys().invalidate(key, qp.windows(), false, slices_)) {
        case Invalidation::kDone:
            return complete(WcStatus::kSuccess);
        case Invalidation::kPending:
            return partial();
        case Invalidation::kRefused:
            break;
    }
    return complete(WcStatus::kMemoryManagementError);
}

Requester::Step Requester::bind_window(QpContext& qp) {
    const auto& bind = qp.send().request().bind;
    const KeySpace& keys = qp.port().keys();
    Window* window = keys.windows().at(bind.current_key);
    if (window == nullptr) {
        return complete(WcStatus::kMemoryManagementError);
    }
    Region* region = bind.length != 0 ? keys.regions().at(bind.lkey) : nullptr;
    if (region != nullptr && region->first_key() != bind.lkey) {
        region = nullptr;
    }
    switch (window->bind(qp.windows(),
                         {.current_key = bind.current_key,
                          .key = bind.key,
                          .region = region,
                          .address = bind.address,
                          .length = bind.length,
                          .access = bind.access},
                         slices_)) {
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
