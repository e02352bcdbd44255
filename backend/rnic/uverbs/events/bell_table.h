// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace vrdma::uverbs {

// Bells by the guest's handle.  Verbs insert and erase them while the worker looks them up.
template <typename Bell>
class BellTable {
  public:
    void insert(uint32_t handle, std::shared_ptr<Bell> bell) {
        const std::lock_guard lock(mutex_);
        if (handle >= bells_.size()) {
            bells_.resize(handle + 1);
        }
        bells_[handle] = std::move(bell);
    }

    void erase(uint32_t handle) {
        const std::lock_guard lock(mutex_);
        bells_[handle].reset();
    }

    // The bell with this handle, which may be any number.  Null when there is none.
    std::shared_ptr<Bell> find(uint64_t handle) const {
        const std::lock_guard lock(mutex_);
        return handle < bells_.size() ? bells_[handle] : nullptr;
    }

  private:
    mutable std::mutex mutex_;  // guards bells_
    std::vector<std::shared_ptr<Bell>> bells_;
};

}  // namespace vrdma::uverbs
