// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "memory/guest_memory.h"
#include "rnic/embedded/keys/fast_registration.h"
#include "rnic/embedded/live_count.h"
#include "rnic/rnic.h"

namespace vrdma::embedded {

struct PortState;
class Engine;
class Worker;

class Pd final : public rnic::ProtectionDomain {
  public:
    explicit Pd(LiveCount count) : count_(std::move(count)) {}

  private:
    LiveCount count_;
};

// Registered guest memory: pieces of this process's address space that follow each
// other in the guest's.
class Mr final : public rnic::MemoryRegion {
  public:
    struct Piece {
        uint64_t offset;  // of its first byte in the region
        std::byte* data;  // null: a hole
    };

    // EINVAL for a region that is empty, wraps or does not match its pieces, and for
    // access rights that IBTA 1.4, 11.2.7.1 does not allow together; EOPNOTSUPP for
    // rights that are not offered; ENOMEM.
    static Result<std::unique_ptr<Mr>> create(Engine& engine, PortState& port, const Pd& pd,
                                              rnic::MrAttributes attributes);
    // All memory of the port's guest, as it is at any time (IBTA 1.4, 11.2.7.2: the
    // reserved L_Key's region, but with a base).  Errors as above.
    static Result<std::unique_ptr<Mr>> create_dma(Engine& engine, PortState& port, const Pd& pd,
                                                  const rnic::DmaMrAttributes& attributes);
    // Without memory, until register_pages().  EINVAL, ENOMEM.
    static Result<std::unique_ptr<Mr>> create_fast(Engine& engine, PortState& port, const Pd& pd,
                                                   rnic::FastMrAttributes attributes);
    ~Mr() override;

    uint32_t lkey() const override { return first_key_; }
    uint32_t rkey() const override { return first_key_; }

    Result<void> reregister(const rnic::MrChanges& changes, rnic::ProtectionDomain* pd,
                            rnic::MrAttributes attributes, rnic::Udata& udata) override;
    // EBUSY while memory windows are bound to it (IBTA 1.4, 10.6.7.2.6).
    Result<void> deregister() override;

    const Pd* pd() const { return pd_; }
    // Of a guest's process: what windows may be bound to.
    bool is_lasting() const { return fast_ == nullptr && !is_dma_; }
    void count_window(int change) { windows_.fetch_add(change, std::memory_order_relaxed); }
    bool allows(uint32_t access) const { return (access_ & access) == access; }

    // Whether [address, address + length) lies within; then offset_of(address) is valid.
    bool covers(uint64_t address, uint64_t length) const {
        const uint64_t offset = address - iova_;
        return offset <= length_ && length <= length_ - offset;
    }
    uint64_t offset_of(uint64_t address) const { return address - iova_; }

    // The region's memory when it is all in one piece, else null.
    std::byte* contiguous() const { return contiguous_; }

    // Whether there is memory everywhere in the `length` (> 0) bytes at `offset`, which
    // the region covers.
    bool backed(uint64_t offset, uint64_t length) const {
        return !is_dma_ || avoids_holes(offset, length);
    }
    // Where these bytes are when they are all in one place, else null.
    std::byte* place(uint64_t offset, uint64_t length) const {
        const auto rest = rest_of_piece(piece_at(offset), offset);
        return rest.size() >= length ? rest.data() : nullptr;
    }

    // In a Pause: the guest's memory has changed.  Of a region that create_dma() made.
    void use_guest_memory(const memory::GuestMemory* memory);

    // Of a region that create_fast() made; 0 of others.
    uint32_t max_pages() const { return fast_ != nullptr ? fast_->max_pages : 0; }

    // Registers what the description says now, under `key`, one of the region's.  On the
    // port's worker.  kPending: while the key is being invalidated.
    enum class Registration { kDone, kPending, kRefused };
    Registration register_pages(uint32_t key, uint32_t access);

    // Takes the region's memory away if this is its key.  On the worker `self`.
    Invalidation invalidate(uint32_t key, bool remote, const Worker& self);

    // Index of the piece that has the byte at `offset` (< length).
    size_t piece_at(uint64_t offset) const;
    // From `offset`, which is in piece `index`, to that piece's end.
    std::span<std::byte> rest_of_piece(size_t index, uint64_t offset) const;

  private:
    friend class MrTable;
    static Result<void> check_access(uint32_t access);
    void place(std::vector<memory::PinnedRange> pieces);
    bool avoids_holes(uint64_t offset, uint64_t length) const;
    bool is_free();
    bool place_pages(uint64_t page_size);
    Mr(Engine& engine, PortState& port, const Pd& pd, rnic::MrAttributes attributes,
       LiveCount count);

    const Pd* pd_;
    std::atomic<uint32_t> key_{0};  // 0: not valid
    uint32_t first_key_ = 0;        // 0: not in the table
    uint32_t access_;
    uint64_t iova_;
    uint64_t length_;
    std::byte* contiguous_ = nullptr;
    bool is_dma_ = false;
    std::unique_ptr<FastRegistration> fast_;  // or none
    std::atomic<int> windows_{0};             // that are bound to it
    std::vector<Piece> pieces_;
    std::vector<std::shared_ptr<const memory::GuestRegion>> keep_mapped_;
    Engine& engine_;
    PortState& port_;
    LiveCount count_;
};

// The memory regions of one port by key: an index and 8 bits that change whenever an
// index is used again, so that a stale key hits nothing.  Changed in a Pause only, but for
// the keys of fast registrations.
class MrTable {
  public:
    // There are fewer regions than a key has room for: EmbeddedLimits::max_mr.
    void insert(Mr& mr);
    void erase(Mr& mr);

    const Mr* find(uint32_t key) const {
        const uint32_t index = key >> 8;
        if (index >= regions_.size()) return nullptr;
        const Mr* mr = regions_[index];
        // Sequentially consistent: see GracePeriod.
        return mr != nullptr && mr->key_.load(std::memory_order_seq_cst) == key ? mr : nullptr;
    }

    // The region that `key`, but for its low 8 bits, belongs to, valid or not.
    Mr* at(uint32_t key) const {
        const uint32_t index = key >> 8;
        return index < regions_.size() ? regions_[index] : nullptr;
    }

  private:
    std::vector<Mr*> regions_{nullptr};  // index 0 is never given out
    std::vector<uint8_t> variants_{0};
    std::deque<uint32_t> free_;  // the longest unused first
};

}  // namespace vrdma::embedded
