// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "rnic/embedded/keys/region.h"
#include "rnic/embedded/sync/grace_period.h"
#include "rnic/embedded/sync/slot_table.h"
#include "rnic/embedded/sync/spin_lock.h"

namespace vrdma::embedded {

// A queue pair as memory windows see it: the protection domain, and how many windows are bound to
// the queue pair.
class WindowOwner {
  public:
    // `handle` is the queue pair's.
    WindowOwner(const Pd& pd, uint32_t handle) : pd_(pd), handle_(handle) {}

    const Pd& pd() const { return pd_; }
    uint32_t handle() const { return handle_; }
    bool has_windows() const { return windows_.load(std::memory_order_relaxed) != 0; }
    void count_window(int change) { windows_.fetch_add(change, std::memory_order_relaxed); }

  private:
    const Pd& pd_;
    const uint32_t handle_;
    std::atomic<int> windows_{0};
};

// A memory window: a part of a region, with rights and a key of its own (IBTA 1.4, 10.6.7).
// A window of type 2 belongs to the queue pair that bound it (type 2B).
class Window {
  public:
    enum class Type : uint8_t { k1 = 1, k2 = 2 };  // enum ib_mw_type

    Window(const Pd& pd, Type type) : pd_(&pd), type2_(type == Type::k2) {}

    // The key under which the window was put into its table; 0: it is in none.
    uint32_t first_key() const { return first_key_; }

    // The wish of a BIND_MW work request. The low 8 bits of `key` become those of the new R_Key.
    struct Binding {
        uint32_t current_key;
        uint32_t key;
        Region* region;  // null with length 0
        uint64_t address;
        uint64_t length;  // bytes; 0 takes the binding of a type 1 window away
        uint32_t access;
    };
    // Binds the window. The home worker of the queue pair, `slices.self`, calls it.
    Invalidation bind(WindowOwner& owner, const Binding& wanted, const WorkerSlices& slices);
    // Invalidates a type 2 window through the queue pair that the window is bound to.
    Invalidation invalidate(uint32_t key, const WindowOwner& owner, const WorkerSlices& slices);

    // The region behind the `size` bytes at `address`, whose address there comes back in
    // `address`; null when the window does not let the queue pair at them.
    const Region* resolve(uint32_t key, const WindowOwner& owner, uint64_t& address, uint64_t size,
                          uint32_t access);

    // What a successor makes the same window of. Both are called in a Pause.
    Type type() const { return type2_ ? Type::k2 : Type::k1; }
    uint32_t key() const { return key_; }
    // What the window is bound to; null with a window that is not bound.
    struct Bound {
        Region* region = nullptr;
        WindowOwner* owner = nullptr;  // of a window of type 2
        uint32_t access = 0;
        uint64_t address = 0;
        uint64_t length = 0;  // bytes
    };
    Bound bound() const;
    // For a window of a table. EINVAL for a binding that cannot be, or for a key of another window.
    Result<void> restore(uint32_t key, const Bound& bound);

    // Ends the binding, if there is one. Called in a Pause.
    void release();
    // Ends the binding if it is to this region or queue pair, which goes. Called in a Pause.
    void forget(const Region& region);
    void forget(const WindowOwner& owner);

  private:
    friend class WindowTable;
    enum class State { kFree, kBound, kInvalidating };  // kInvalidating: until grace_.over()
    bool may_bind_to(const Region* region, uint64_t address, uint64_t length,
                     uint32_t access) const;
    bool may_bind(const WindowOwner& owner, const Binding& wanted) const;
    void begin_invalidation(const WorkerSlices& slices);
    bool is_free(const WorkerSlices& slices);

    SpinLock lock_;  // of all that changes
    State state_ = State::kFree;
    uint32_t key_ = 0;
    uint32_t access_ = 0;
    uint64_t address_ = 0;
    uint64_t length_ = 0;
    Region* region_ = nullptr;      // which counts this window
    WindowOwner* owner_ = nullptr;  // which counts this window; type 2 only
    GracePeriod grace_;

    const Pd* pd_;
    const bool type2_;
    uint32_t first_key_ = 0;
};

// The memory windows of one port by key. A window's index has the top bit set, so that no key is
// a window's and a region's. The table changes in a Pause only.
class WindowTable {
  public:
    static constexpr uint32_t kWindowBit = 1u << 31;

    using Room = SlotTable<Window>::Room;
    Room make_room() const { return windows_.make_room(); }
    void insert(Window& window, Room& room);
    void erase(const Window& window);
    // As RegionTable::insert_at().
    Result<void> insert_at(Window& window, uint32_t key);
    SlotTable<Window>& numbers() { return windows_; }
    const SlotTable<Window>& numbers() const { return windows_; }

    // The window that `key`, but for its low 8 bits, belongs to.
    Window* at(uint32_t key) const {
        if ((key & kWindowBit) == 0) {
            return nullptr;
        }
        return windows_.at((key & ~kWindowBit) >> 8);
    }
    uint32_t size() const { return windows_.size(); }

    // The windows that one Pause looks at.
    static constexpr uint32_t kMostToForget = 256;
    // Ends the bindings to `object` of so many windows, from number `first` on, and answers the
    // number of the next one.
    template <typename Object>
    uint32_t forget(const Object& object, uint32_t first) {
        const uint32_t end = first + std::min(kMostToForget, size() - first);
        for (; first < end; ++first) {
            if (Window* window = windows_.at(first); window != nullptr) {
                window->forget(object);
            }
        }
        return end;
    }

  private:
    SlotTable<Window> windows_{0};
};

}  // namespace vrdma::embedded
