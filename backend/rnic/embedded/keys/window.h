// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "rnic/embedded/keys/fast_registration.h"
#include "rnic/embedded/live_count.h"
#include "rnic/embedded/sync/grace_period.h"
#include "rnic/embedded/sync/spin_lock.h"
#include "rnic/rnic.h"

namespace vrdma::embedded {

class Engine;
class Mr;
class Pd;
class Qp;
class Worker;
struct PortState;

// A window into a memory region, with rights and a key of its own (IBTA 1.4, 10.6.7).
// Those of type 2 belong to the queue pair that bound them (type 2B).
class Mw final : public rnic::MemoryWindow {
  public:
    // EINVAL for a type that there is not; ENOMEM.
    static Result<std::unique_ptr<Mw>> create(Engine& engine, PortState& port, const Pd& pd,
                                              uint8_t type);
    ~Mw() override;

    uint32_t rkey() const override { return first_key_; }
    const Pd* pd() const { return pd_; }

    // What a work request asks for: `key`'s low 8 bits are those of the new R_Key.
    struct Binding {
        uint32_t current_key;
        uint32_t key;
        Mr* mr;  // null with length 0
        uint64_t address;
        uint64_t length;  // 0 takes the binding of a type 1 window away
        uint32_t access;
    };
    // On the home worker of the queue pair.
    Invalidation bind(Qp& qp, const Binding& wanted);
    // Of a type 2 window, through the queue pair that it is bound to.
    Invalidation invalidate(uint32_t key, const Qp& qp, const Worker& self);

    // The region behind the `size` bytes at `address`, whose address there comes back in
    // `address`; null when the window does not let `qp` at them.
    const Mr* resolve(uint32_t key, const Qp& qp, uint64_t& address, uint64_t size,
                      uint32_t access);

    // In a Pause: what the window may be bound to goes.
    void forget(const Mr& mr);
    void forget(const Qp& qp);

  private:
    friend class MwTable;
    enum class State { kFree, kBound, kInvalidating };  // kInvalidating: until grace_.over()
    Mw(Engine& engine, PortState& port, const Pd& pd, bool type2, LiveCount count);
    bool may_bind(const Qp& qp, const Binding& wanted) const;
    void begin_invalidation(const Worker& self);
    void release();
    bool is_free();

    SpinLock lock_;  // of all that changes
    State state_ = State::kFree;
    uint32_t key_ = 0;
    uint32_t access_ = 0;
    uint64_t address_ = 0;
    uint64_t length_ = 0;
    Mr* mr_ = nullptr;  // counted there, as in qp_
    Qp* qp_ = nullptr;  // type 2 only
    GracePeriod grace_;

    const Pd* pd_;
    const bool type2_;
    uint32_t first_key_ = 0;
    Engine& engine_;
    PortState& port_;
    LiveCount count_;
};

// The memory windows of one port by key.  Their indexes have the top bit set, so that no
// key is a window's and a region's.  Changed in a Pause only.
class MwTable {
  public:
    static constexpr uint32_t kWindowBit = 1u << 31;

    void insert(Mw& mw);
    void erase(Mw& mw);

    // The window that `key`, but for its low 8 bits, belongs to.
    Mw* at(uint32_t key) const {
        if ((key & kWindowBit) == 0) return nullptr;
        const uint32_t index = (key & ~kWindowBit) >> 8;
        return index < windows_.size() ? windows_[index] : nullptr;
    }
    template <typename Object>
    void forget(const Object& object) {
        for (Mw* mw : windows_) {
            if (mw != nullptr) mw->forget(object);
        }
    }

  private:
    std::vector<Mw*> windows_;
    std::vector<uint8_t> variants_;
    std::deque<uint32_t> free_;  // the longest unused first
};

}  // namespace vrdma::embedded
