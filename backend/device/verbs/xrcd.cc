// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Domains of extended reliable connections.
#include "device/verbs/object_state.h"
#include "device/verbs/verbs.h"

namespace vrdma::device {

Result<void> save(Saving& saving, XrcdObject& object, state::Xrcd& state) {
    state.set_released(object.released);
    return object.xrcd->save(state, saving.files);
}

Result<void> restore(Restoring& restoring, const state::Xrcd& state) {
    auto& xrcds = restoring.objects().xrcds;
    if (auto free = xrcds.check_free(state.handle()); !free) {
        return free;
    }
    auto xrcd = restoring.verbs.port().restore_xrcd(state, restoring.files);
    if (!xrcd) {
        return fail(xrcd.error());
    }
    xrcds.insert(state.handle(),
                 XrcdObject{.xrcd = std::move(*xrcd), .released = state.released()});
    return {};
}

}  // namespace vrdma::device

namespace vrdma::device::verb {

Result<void> alloc_xrcd(Verbs& verbs, Call& call, const vrdma_cmd_empty&,
                        vrdma_rsp_handle& response) {
    // The domain is the device's, and no driver has private bytes for one.
    if (call.uctx != VRDMA_NO_HANDLE || !call.udata.in.empty()) {
        return fail(EINVAL);
    }
    auto handle = verbs.objects().xrcds.reserve();
    if (!handle) {
        return fail(handle.error());
    }
    auto xrcd = verbs.port().alloc_xrcd();
    if (!xrcd) {
        return fail(xrcd.error());
    }
    verbs.objects().xrcds.insert(*handle, XrcdObject{.xrcd = std::move(*xrcd)});
    response.handle = htole32(*handle);
    return {};
}

// A process that is killed while it makes an object in a domain does not know of the object, which
// goes with its user context, after the domain.
Result<void> dealloc_xrcd(Verbs& verbs, Call&, const vrdma_cmd_handle& request, vrdma_rsp_empty&) {
    XrcdObject* xrcd = verbs.objects().find_xrcd(le32toh(request.handle));
    if (xrcd == nullptr) {
        return fail(EINVAL);
    }
    xrcd->released = true;
    verbs.objects().erase_released_xrcds();
    return {};
}

}  // namespace vrdma::device::verb
