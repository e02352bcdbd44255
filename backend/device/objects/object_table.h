// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "budget.h"
#include "device/objects/handle_table.h"
#include "result.h"

namespace vrdma::device {

// An object with its place in the guest's budget for objects of its kind.
template <typename Object>
struct Charged {
    Charge charge;
    Object object;
};

// A guest's objects of one kind.  An object that belongs to a user context has the handle of
// that context in its member `uctx`.
template <typename Object>
class ObjectTable {
  public:
    // Handles are below `bound`; how many objects there may be is up to `budget`, which outlives
    // the table.
    ObjectTable(uint32_t bound, Budget& budget) : table_(bound), budget_(budget) {}

    uint32_t size() const { return table_.size(); }
    std::vector<uint32_t> handles() const { return table_.handles(); }

    // How many objects there may be now.
    uint32_t limit() const {
        return static_cast<uint32_t>(std::min<uint64_t>(table_.limit(), budget_.limit()));
    }

    // A handle that is free now.  The caller inserts an object under it or forgets it.  EDQUOT
    // and a log line that names the limit when there is none.
    Result<uint32_t> reserve() {
        if (auto room = budget_.check(); !room) {
            return fail(room.error());
        }
        return table_.free_handle();
    }

    // Whether an object can have this very handle: EINVAL for one that no object has, EEXIST for
    // one that is taken.
    Result<void> check_free(uint32_t handle) {
        if (handle >= table_.limit()) {
            return fail(EINVAL);
        }
        return find(handle) == nullptr ? Result<void>() : fail(EEXIST);
    }

    Object& insert(uint32_t handle, Object object) {
        return table_
            .insert(handle, Charged<Object>{.charge = budget_.take(), .object = std::move(object)})
            .object;
    }

    // The object, or null.  The address of an object stays until the object is erased.
    Object* find(uint32_t handle) {
        Charged<Object>* found = table_.find(handle);
        return found == nullptr ? nullptr : &found->object;
    }

    // The object, if the user context `uctx` owns it; EINVAL otherwise.
    Result<Object*> owned(uint32_t uctx, uint32_t handle) {
        Object* object = find(handle);
        if (object == nullptr || object->uctx != uctx) {
            return fail(EINVAL);
        }
        return object;
    }

    void erase(uint32_t handle) { table_.erase(handle); }

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
        erase(handle);
        return {};
    }

    // Destroys all objects.
    void clear() {
        table_.erase_if([](const Charged<Object>&) { return true; });
    }

    // Destroys all objects for which `condition` holds.
    template <typename Condition>
    void erase_if(Condition condition) {
        table_.erase_if(
            [&condition](const Charged<Object>& charged) { return condition(charged.object); });
    }

    // Destroys all objects that the user context `uctx` owns.
    void erase_owned(uint32_t uctx) {
        erase_if([uctx](const Object& object) { return object.uctx == uctx; });
    }

  private:
    HandleTable<Charged<Object>> table_;
    Budget& budget_;
};

}  // namespace vrdma::device
