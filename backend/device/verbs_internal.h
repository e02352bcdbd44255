// SPDX-License-Identifier: Apache-2.0
// Templates that the parts of Verbs share.
#pragma once

#include "device/verbs.h"

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

}  // namespace vrdma::device
