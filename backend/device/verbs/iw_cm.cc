// SPDX-License-Identifier: Apache-2.0
// Connections of an iWARP RNIC.
#include <algorithm>
#include <iterator>

#include "device/request/wire.h"
#include "device/verbs/verbs_internal.h"
#include "rnic/iw_cm.h"

namespace vrdma::device {

Result<rnic::IwCm*> Verbs::connections() {
    rnic::IwCm* manager = port_.iw_cm();
    if (manager == nullptr) {
        return fail(EOPNOTSUPP);
    }
    return manager;
}

Result<void> Verbs::iw_connect(Call& call, const vrdma_cmd_iw_connect& request, vrdma_rsp_empty&) {
    auto manager = connections();
    if (!manager) {
        return fail(manager.error());
    }
    auto qp = owned(qps_, call, le32toh(request.qp));
    if (!qp) {
        return fail(qp.error());
    }
    return (*manager)->connect(le32toh(request.id), *(*qp)->qp, from_wire(request.local),
                               from_wire(request.remote), from_wire(request.param));
}

Result<void> Verbs::iw_listen(Call&, const vrdma_cmd_iw_listen& request, vrdma_rsp_empty&) {
    auto manager = connections();
    if (!manager) {
        return fail(manager.error());
    }
    return (*manager)->listen(le32toh(request.id), from_wire(request.local),
                              le32toh(request.backlog),
                              (le32toh(request.flags) & VRDMA_IW_LISTEN_IPV6_ONLY) != 0);
}

Result<void> Verbs::iw_accept(Call& call, const vrdma_cmd_iw_accept& request, vrdma_rsp_empty&) {
    auto manager = connections();
    if (!manager) {
        return fail(manager.error());
    }
    auto qp = owned(qps_, call, le32toh(request.qp));
    if (!qp) {
        // The request is taken out in any case.
        (void)(*manager)->reject(le32toh(request.request), {});
        return fail(qp.error());
    }
    return (*manager)->accept(le32toh(request.request), le32toh(request.id), *(*qp)->qp,
                              from_wire(request.param));
}

Result<void> Verbs::iw_reject(Call&, const vrdma_cmd_iw_reject& request, vrdma_rsp_empty&) {
    auto manager = connections();
    if (!manager) {
        return fail(manager.error());
    }
    return (*manager)->reject(le32toh(request.request), from_wire(request.param).private_data);
}

Result<void> Verbs::iw_close(Call&, const vrdma_cmd_handle& request, vrdma_rsp_empty&) {
    auto manager = connections();
    if (!manager) {
        return fail(manager.error());
    }
    (*manager)->close(le32toh(request.handle));
    return {};
}

Result<void> Verbs::iw_get_event(Call&, const vrdma_cmd_empty&, vrdma_rsp_iw_event& response) {
    auto manager = connections();
    if (!manager) {
        return fail(manager.error());
    }
    if (const auto event = (*manager)->next_event()) {
        to_wire(*event, response);
    }
    return {};
}

}  // namespace vrdma::device
