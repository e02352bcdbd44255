// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Connections of an iWARP RNIC.
#include "rnic/iw_cm.h"

#include "device/request/wire.h"
#include "device/verbs/verbs.h"

namespace vrdma::device::verb {
namespace {

// The port's connection manager; EOPNOTSUPP when it has none.
Result<rnic::IwCm*> iw_cm(Verbs& verbs) {
    rnic::IwCm* manager = verbs.port().iw_cm();
    if (manager == nullptr) {
        return fail(EOPNOTSUPP);
    }
    return manager;
}

}  // namespace

Result<void> iw_connect(Verbs& verbs, Call& call, const vrdma_cmd_iw_connect& request,
                        vrdma_rsp_empty&) {
    auto manager = iw_cm(verbs);
    if (!manager) {
        return fail(manager.error());
    }
    auto qp = verbs.objects().qps.owned(call.uctx, le32toh(request.qp));
    if (!qp) {
        return fail(qp.error());
    }
    return (*manager)->connect(le32toh(request.id), *(*qp)->qp, from_wire(request.local),
                               from_wire(request.remote), from_wire(request.param));
}

Result<void> iw_listen(Verbs& verbs, Call&, const vrdma_cmd_iw_listen& request, vrdma_rsp_empty&) {
    auto manager = iw_cm(verbs);
    if (!manager) {
        return fail(manager.error());
    }
    return (*manager)->listen(le32toh(request.id), from_wire(request.local),
                              le32toh(request.backlog),
                              (le32toh(request.flags) & VRDMA_IW_LISTEN_IPV6_ONLY) != 0);
}

Result<void> iw_accept(Verbs& verbs, Call& call, const vrdma_cmd_iw_accept& request,
                       vrdma_rsp_empty&) {
    auto manager = iw_cm(verbs);
    if (!manager) {
        return fail(manager.error());
    }
    auto qp = verbs.objects().qps.owned(call.uctx, le32toh(request.qp));
    if (!qp) {
        // IW_ACCEPT takes the request away in any case (docs/spec.md, "Connections").
        (void)(*manager)->reject(le32toh(request.request), {});
        return fail(qp.error());
    }
    return (*manager)->accept(le32toh(request.request), le32toh(request.id), *(*qp)->qp,
                              from_wire(request.param));
}

Result<void> iw_reject(Verbs& verbs, Call&, const vrdma_cmd_iw_reject& request, vrdma_rsp_empty&) {
    auto manager = iw_cm(verbs);
    if (!manager) {
        return fail(manager.error());
    }
    return (*manager)->reject(le32toh(request.request), from_wire(request.param).private_data);
}

Result<void> iw_close(Verbs& verbs, Call&, const vrdma_cmd_handle& request, vrdma_rsp_empty&) {
    auto manager = iw_cm(verbs);
    if (!manager) {
        return fail(manager.error());
    }
    (*manager)->close(le32toh(request.handle));
    return {};
}

Result<void> iw_get_event(Verbs& verbs, Call&, const vrdma_cmd_empty&,
                          vrdma_rsp_iw_event& response) {
    auto manager = iw_cm(verbs);
    if (!manager) {
        return fail(manager.error());
    }
    if (const auto event = (*manager)->next_event()) {
        to_wire(*event, response);
    }
    return {};
}

}  // namespace vrdma::device::verb
