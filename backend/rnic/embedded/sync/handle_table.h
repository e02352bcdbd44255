// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace vrdma::embedded {

// What belongs to the handles of a guest's objects, which the device gives out; Entry{} where there
// is nothing. Workers and verbs use it as they use a SlotTable.
template <typename Entry>
class HandleTable {
  public:
    using Room = std::vector<Entry>;
    // What set() of `handle` needs. Called outside a Pause.
    Room make_room(uint32_t handle) const {
        Room room;
        if (handle >= entries_.size()) {
            const size_t size = std::max(size_t{handle} + 1, 2 * entries_.size());
            room.reserve(size);
            room = entries_;
            room.resize(size);
        }
        return room;
    }

    // What is in `room` afterwards is let go after the Pause.
    void set(uint32_t handle, const Entry& entry, Room& room) {
        if (handle >= entries_.size()) {
            entries_.swap(room);
        }
        entries_[handle] = entry;
    }
    void clear(uint32_t handle) {
        if (handle < entries_.size()) {
            entries_[handle] = Entry{};
        }
    }
    Entry at(uint32_t handle) const {
        return handle < entries_.size() ? entries_[handle] : Entry{};
    }
    std::span<const Entry> entries() const { return entries_; }

  private:
    std::vector<Entry> entries_;
};

}  // namespace vrdma::embedded
