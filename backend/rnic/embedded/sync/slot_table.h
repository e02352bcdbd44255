// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
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
        bool is_free = true;
    };

  public:
    // Numbers below `first` are never given out.
    explicit SlotTable(uint32_t first) : objects_(first), slots_(first), first_(first) {
        refresh();
    }

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
        slots_[number].is_free = false;
        return number;
    }
    void erase(uint32_t number) {
        objects_[number] = nullptr;
        slots_[number].next_free = kNone;
        slots_[number].is_free = true;
        (first_free_ == kNone ? first_free_ : slots_[last_free_].next_free) = number;
        last_free_ = number;
    }
    // The object, or null.
    Object* at(uint32_t number) const { return number < size_ ? entries_[number] : nullptr; }
    // All numbers are less.
    uint32_t size() const { return size_; }

    // What tells the uses of one number from each other.
    uint8_t& variant(uint32_t number) { return slots_[number].variant; }

    // All numbers as a successor's table needs them, without the objects.
    std::vector<uint8_t> variants() const {
        std::vector<uint8_t> variants(slots_.size());
        std::ranges::transform(slots_, variants.begin(), &Slot::variant);
        return variants;
    }
    // The longest unused first.
    std::vector<uint32_t> free_numbers() const {
        std::vector<uint32_t> numbers;
        for (uint32_t next = first_free_; next != kNone; next = slots_[next].next_free) {
            numbers.push_back(next);
        }
        return numbers;
    }
    // Has an empty table, of which nothing was used, give out numbers as that one did. The numbers
    // that are not free are for insert_at(). False, with nothing changed, when there is no such
    // table. Called in a Pause.
    bool restore(std::span<const uint8_t> variants, std::span<const uint32_t> free_numbers) {
        if (size_ != first_ || variants.size() < first_ || variants.size() >= kNone) {
            return false;
        }
        std::vector<Slot> slots(variants.size());
        for (size_t number = 0; number < slots.size(); ++number) {
            slots[number] = {.variant = variants[number], .is_free = false};
        }
        uint32_t last = kNone;
        for (const uint32_t number : free_numbers) {
            if (number < first_ || number >= slots.size() || slots[number].is_free) {
                return false;
            }
            slots[number].is_free = true;
            if (last != kNone) {
                slots[last].next_free = number;
            }
            last = number;
        }
        first_free_ = free_numbers.empty() ? kNone : free_numbers.front();
        last_free_ = last;
        slots_ = std::move(slots);
        objects_.resize(slots_.size());
        refresh();
        return true;
    }
    // Whether insert_at() can give an object this number: it is neither free nor taken.
    bool is_reserved(uint32_t number) const {
        return number >= first_ && number < size_ && !slots_[number].is_free &&
               objects_[number] == nullptr;
    }
    void insert_at(uint32_t number, Object& object) { objects_[number] = &object; }

  private:
    void refresh() {
        entries_ = objects_.data();
        size_ = static_cast<uint32_t>(objects_.size());
    }

    std::vector<Object*> objects_;
    Object* const* entries_ = nullptr;  // these are looked up
    uint32_t size_ = 0;
    std::vector<Slot> slots_;
    const uint32_t first_;
    uint32_t first_free_ = kNone;
    uint32_t last_free_ = kNone;
};

}  // namespace vrdma::embedded
