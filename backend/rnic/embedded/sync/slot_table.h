// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace vrdma::embedded {

// Objects by numbers that the table gives out. Workers look them up without a lock; the verbs of
// one guest, which run one after the other, change the table in a Pause. What takes longer with
// more objects is done outside the Pause: the table grows by exchanging its memory for a Room.
template <typename Object>
class SlotTable {
    static constexpr uint32_t kNone = UINT32_MAX;
    struct Slot {
        uint32_t next_free = kNone;
        uint8_t variant = 0;
    };

  public:
    // Numbers below `first` are never given out.
    explicit SlotTable(uint32_t first) : objects_(first), slots_(first) { refresh(); }

    // The memory of a larger table, or of none when the table need not grow.
    class Room {
        friend class SlotTable;
        std::vector<Object*> objects_;
        std::vector<Slot> slots_;
    };
    // What the next insert() needs. Called outside a Pause.
    Room make_room() const {
        Room room;
        if (first_free_ != kNone) {
            return room;
        }
        const size_t size = std::max(size_t{16}, 2 * slots_.size());
        room.objects_.reserve(size);
        room.objects_ = objects_;
        room.objects_.resize(size);
        room.slots_.reserve(size);
        room.slots_ = slots_;
        for (auto next = static_cast<uint32_t>(slots_.size() + 1); next <= size; ++next) {
            room.slots_.push_back({.next_free = next < size ? next : kNone});
        }
        return room;
    }

    // Answers the object's number, the one that has not been used for the longest time. What is in
    // `room` afterwards is let go after the Pause.
    uint32_t insert(Object& object, Room& room) {
        if (first_free_ == kNone) {
            first_free_ = static_cast<uint32_t>(slots_.size());
            objects_.swap(room.objects_);
            slots_.swap(room.slots_);
            last_free_ = static_cast<uint32_t>(slots_.size() - 1);
            refresh();
        }
        const uint32_t number = first_free_;
        first_free_ = slots_[number].next_free;
        objects_[number] = &object;
        return number;
    }
    void erase(uint32_t number) {
        objects_[number] = nullptr;
        slots_[number].next_free = kNone;
        (first_free_ == kNone ? first_free_ : slots_[last_free_].next_free) = number;
        last_free_ = number;
    }
    // The object, or null.
    Object* at(uint32_t number) const { return number < size_ ? entries_[number] : nullptr; }
    // All numbers are less.
    uint32_t size() const { return size_; }

    // What tells the uses of one number from each other.
    uint8_t& variant(uint32_t number) { return slots_[number].variant; }

  private:
    void refresh() {
        entries_ = objects_.data();
        size_ = static_cast<uint32_t>(objects_.size());
    }

    std::vector<Object*> objects_;
    Object* const* entries_ = nullptr;  // these are looked up
    uint32_t size_ = 0;
    std::vector<Slot> slots_;
    uint32_t first_free_ = kNone;
    uint32_t last_free_ = kNone;
};

}  // namespace vrdma::embedded
