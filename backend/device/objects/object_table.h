// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <string_view>

#include "device/object_kinds.h"
#include "device/objects/handle_table.h"
#include "device/objects/limit_log.h"
#include "result.h"

namespace vrdma::device {

// A guest's objects of one kind.  An object that belongs to a user context has the handle of
// that context in its member `uctx`.
template <typename Object>
class ObjectTable : public HandleTable<Object> {
  public:
    // `kind` is the plural for the log and has static storage.  `log` outlives the table.
    ObjectTable(std::string_view kind, uint32_t limit, LimitLog& log)
        : HandleTable<Object>(limit), kind_(kind), log_(log) {}

    // The bound of the handles is handle_limit() of the kind.
    ObjectTable(const ObjectKind& kind, const Limits& limits,
                const rnic::DeviceAttributes& attributes, LimitLog& log)
        : ObjectTable(kind.name, handle_limit(kind, limits, attributes), log) {}

    // A handle that is free now.  The caller inserts an object under it or forgets it.  EDQUOT
    // and a log line that names the limit when there is none.
    Result<uint32_t> reserve() {
        auto handle = this->free_handle();
        if (!handle) {
            return fail(log_.reached("{} {}", this->limit(), kind_));
        }
        return handle;
    }

    // The object, if the user context `uctx` owns it; EINVAL otherwise.
    Result<Object*> owned(uint32_t uctx, uint32_t handle) {
        Object* object = this->find(handle);
        if (object == nullptr || object->uctx != uctx) {
            return fail(EINVAL);
        }
        return object;
    }

    // Destroys the object, if the user context `uctx` owns it (EINVAL) and no other object refers
    // to it (EBUSY).
    Result<void> destroy(uint32_t uctx, uint32_t handle) {
        auto object = owned(uctx, handle);
        if (!object) {
            return fail(object.error());
        }
        if constexpr (requires { (*object)->users; }) {
            if ((*object)->users.in_use()) {
                return fail(EBUSY);
            }
        }
        this->erase(handle);
        return {};
    }

    // Destroys all objects that the user context `uctx` owns.
    void erase_owned(uint32_t uctx) {
        this->erase_if([uctx](const Object& object) { return object.uctx == uctx; });
    }

  private:
    const std::string_view kind_;
    LimitLog& log_;
};

}  // namespace vrdma::device
