// SPDX-License-Identifier: Apache-2.0
// Templates that the parts of Verbs share.
#pragma once

#include "device/verbs/verbs.h"

namespace vrdma::device {

template <typename Object>
Result<uint32_t> Verbs::reserve(HandleTable<Object>& table, const char* kind) {
    auto handle = table.free_handle();
    if (!handle) {
        log_.warn("{}: limit reached: {} {}; the verb gets {}", options_.guest, table.limit(), kind,
                  to_string(handle.error()));
    }
    return handle;
}

template <typename Object>
Result<Object*> Verbs::owned(HandleTable<Object>& table, const Call& call, uint32_t handle) {
    Object* object = table.find(handle);
    if (object == nullptr || object->uctx != call.uctx) {
        return fail(EINVAL);
    }
    return object;
}

template <typename Object>
Result<Verbs::Place> Verbs::place_in_pd(const Call& call, uint32_t wire_pd,
                                        HandleTable<Object>& table, const char* kind) {
    auto found = context(call);
    if (!found) {
        return fail(found.error());
    }
    auto pd = owned(pds_, call, le32toh(wire_pd));
    if (!pd) {
        return fail(pd.error());
    }
    auto handle = reserve(table, kind);
    if (!handle) {
        return fail(handle.error());
    }
    return Place{*found, *pd, *handle};
}

}  // namespace vrdma::device
