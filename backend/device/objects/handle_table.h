// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "result.h"

namespace vrdma::device {

// Objects of one kind by handle.  Handles are below the limit and are given out in turn, so
// that a handle just freed is the last to come back: an event that is still on its way for the
// old object does not meet a new object.
template <typename Object>
class HandleTable {
  public:
    explicit HandleTable(uint32_t limit) : limit_(limit) {}

    uint32_t size() const { return static_cast<uint32_t>(objects_.size()); }
    uint32_t limit() const { return limit_; }

    // A handle that is free now.  The caller inserts an object under it or forgets it.
    // EDQUOT when the limit is reached.
    Result<uint32_t> free_handle() {
        if (objects_.size() >= limit_) {
            return fail(EDQUOT);
        }
        while (objects_.contains(next_)) {
            next_ = next_ + 1 == limit_ ? 0 : next_ + 1;
        }
        return next_;
    }

    Object& insert(uint32_t handle, Object object) {
        next_ = handle + 1 == limit_ ? 0 : handle + 1;
        return *objects_.emplace(handle, std::make_unique<Object>(std::move(object))).first->second;
    }

    // The object, or null.  The address of an object stays until the object is erased.
    Object* find(uint32_t handle) {
        auto found = objects_.find(handle);
        return found == objects_.end() ? nullptr : found->second.get();
    }

    std::vector<uint32_t> handles() const {
        std::vector<uint32_t> result;
        for (const auto& entry : objects_) {
            result.push_back(entry.first);
        }
        return result;
    }

    void erase(uint32_t handle) { objects_.erase(handle); }

    template <typename Predicate>
    void erase_if(Predicate predicate) {
        std::erase_if(objects_, [&](auto& entry) { return predicate(*entry.second); });
    }

  private:
    uint32_t limit_;
    uint32_t next_ = 0;
    std::unordered_map<uint32_t, std::unique_ptr<Object>> objects_;
};

}  // namespace vrdma::device
