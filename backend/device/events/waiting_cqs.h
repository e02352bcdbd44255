// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <vrdma_doorbell.h>

#include <bitset>
#include <cassert>
#include <cstdint>
#include <memory>

namespace vrdma::device {

// Lists of CQs whose completion events wait for a buffer.  A CQ is in one list at most, and once.
// Nothing is allocated after the beginning.
class WaitingCqs {
  public:
    class List {
      public:
        bool empty() const { return first_ == kNone; }
        uint32_t front() const { return first_; }

      private:
        friend class WaitingCqs;
        uint32_t first_ = kNone;
        uint32_t last_ = kNone;
    };

    // Does nothing when the CQ is in a list already.
    void push_back(List& list, uint32_t handle) {
        if (listed_.test(handle)) {
            return;
        }
        listed_.set(handle);
        next_[handle] = kNone;
        (list.empty() ? list.first_ : next_[list.last_]) = handle;
        list.last_ = handle;
    }

    void pop_front(List& list) {
        assert(!list.empty());
        listed_.reset(list.first_);
        list.first_ = next_[list.first_];
    }

    // Calls `each(handle)` from the front to the back.
    template <typename Each>
    void for_each(const List& list, const Each& each) const {
        for (uint32_t handle = list.first_; handle != kNone; handle = next_[handle]) {
            each(handle);
        }
    }

    void clear(List& list) {
        while (!list.empty()) {
            pop_front(list);
        }
    }

  private:
    static constexpr uint32_t kNone = UINT32_MAX;

    std::bitset<VRDMA_DB_MAX_HANDLES> listed_;
    // Left as it is, so that it takes memory only for handles that there are.
    std::unique_ptr<uint32_t[]> next_{new uint32_t[VRDMA_DB_MAX_HANDLES]};
};

}  // namespace vrdma::device
