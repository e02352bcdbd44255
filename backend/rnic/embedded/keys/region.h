// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "memory/guest_memory.h"
#include "result.h"
#include "rnic/attributes.h"
#include "rnic/embedded/keys/fast_registration.h"
#include "rnic/embedded/keys/guest_runs.h"
#include "rnic/embedded/sync/slot_table.h"

namespace vrdma::embedded {

class Pd;  // known here by its address only

// The memory that a key stands for, as the data path sees it: pieces of this process's address
// space that follow each other in the guest's. A region is of one of three kinds: a region of a
// guest's process, all of a guest's memory (dma_region.cc), or pages that work requests register.
class Region {
  public:
    Region(const Pd& pd, rnic::MrAttributes attributes);
    // All memory of the port's guest, as it is at any time (IBTA 1.4, 11.2.7.2: the reserved
    // L_Key's region, but with a base). It has memory after use_guest_memory().
    Region(const Pd& pd, const rnic::DmaMrAttributes& attributes);
    // Has memory after register_pages().
    Region(const Pd& pd, rnic::FastMrAttributes attributes);

    // EINVAL for access rights that IBTA 1.4, 11.2.7.1 does not allow together; EOPNOTSUPP for
    // rights that are not offered.
    static Result<void> check_access(uint32_t access);

    // The key under which the region was last put into its table; 0: it is in none.
    uint32_t first_key() const { return first_key_; }
    const Pd* pd() const { return pd_; }
    bool allows(uint32_t access) const { return (access_ & access) == access; }

    // Whether [address, address + length) lies within; then offset_of(address) is valid.
    bool covers(uint64_t address, uint64_t length) const {
        const uint64_t offset = address - iova_;
        return offset <= length_ && length <= length_ - offset;
    }
    uint64_t offset_of(uint64_t address) const { return address - iova_; }

    // The region's memory when all of it is in one piece, else null.
    std::byte* contiguous() const { return contiguous_; }

    // Whether there is memory everywhere in the `length` (> 0) bytes at `offset`, which the region
    // covers.
    bool backed(uint64_t offset, uint64_t length) const {
        return !is_dma_ || avoids_holes(offset, length);
    }
    // The place of these bytes when all of them are in one place, else null.
    std::byte* place(uint64_t offset, uint64_t length) const {
        const auto rest = rest_of_piece(piece_at(offset), offset);
        return rest.size() >= length ? rest.data() : nullptr;
    }
    // Index of the piece that has the byte at `offset` (< length).
    size_t piece_at(uint64_t offset) const;
    // From `offset`, which is in piece `index`, to that piece's end.
    std::span<std::byte> rest_of_piece(size_t index, uint64_t offset) const;

    // Whether the region is of a guest's process. Memory windows may be bound to such regions only,
    // and REREG_MR changes only such regions.
    bool is_of_process() const { return fast_ == nullptr && !is_dma_; }
    void count_window(int change) { windows_.fetch_add(change, std::memory_order_relaxed); }
    bool has_windows() const { return windows_.load(std::memory_order_relaxed) != 0; }

    // The memory of a region, laid out as the data path needs it: a work for outside a Pause.
    struct Layout;
    // Changes what `changes` says. `layout` is of the attributes' pieces, and what the region had
    // afterwards. Called in a Pause.
    void change(const rnic::MrChanges& changes, const Pd* pd, const rnic::MrAttributes& attributes,
                Layout& layout);

    // Whether the region is all of the guest's memory.
    bool is_dma() const { return is_dma_; }
    // Becomes all of the guest's memory, as it is or as it has been laid out, and gives `layout`
    // what the region was. Called in a Pause, or while nobody finds the region.
    void use_guest_memory(Layout& layout);

    // The most pages that work requests may register; 0 for a region that they may not register.
    uint32_t max_pages() const { return fast_ != nullptr ? fast_->max_pages() : 0; }

    // Registers the pages of `memory` that the description names now, under `key`, one of the
    // region's keys. On the port's worker.
    Registration register_pages(uint32_t key, uint32_t access,
                                const std::shared_ptr<const memory::GuestMemory>& memory,
                                const WorkerSlices& slices);

    // Takes the region's memory away if this is its key. `remote`: a peer's request asks for it.
    // On the worker `slices.self`.
    Invalidation invalidate(uint32_t key, bool remote, const WorkerSlices& slices);

    // What a successor makes the same region of. All of it is called in a Pause.
    uint32_t access() const { return access_; }
    uint64_t iova() const { return iova_; }
    uint64_t length() const { return length_; }
    // The guest memory of a region of a process. None when the region has other memory.
    std::optional<std::vector<GuestRun>> runs() const;
    // What work requests have registered, and under which key.
    struct Registered {
        uint32_t key = 0;    // the last one that was valid
        bool valid = false;  // and so is what follows
        uint32_t access = 0;
        uint64_t iova = 0;
        uint64_t length = 0;  // bytes
        std::vector<GuestRun> runs;
    };
    // For a region with max_pages(). None when some of it is not the guest's memory.
    std::optional<Registered> registered() const;
    std::span<const memory::PinnedRange> description() const { return fast_->description(); }
    // For a region of a table, with max_pages(). EINVAL for what cannot have been registered,
    // EFAULT when `memory` does not have it.
    Result<void> restore(const Registered& registered,
                         const std::shared_ptr<const memory::GuestMemory>& memory);

  private:
    friend class RegionTable;
    struct Piece {
        uint64_t offset;  // of its first byte in the region
        std::byte* data;  // null: a hole
    };

    void enter_table(uint32_t key);
    void exchange(Layout& layout);
    bool avoids_holes(uint64_t offset, uint64_t length) const;
    bool use_pages(const memory::GuestMemory* memory, uint64_t page_size);

    const Pd* pd_;
    std::atomic<uint32_t> key_{0};  // 0: not valid
    uint32_t first_key_ = 0;
    uint32_t access_ = 0;
    uint64_t iova_ = 0;
    uint64_t length_ = 0;
    std::byte* contiguous_ = nullptr;
    bool is_dma_ = false;
    std::unique_ptr<FastRegistration> fast_;  // or none
    std::atomic<int> windows_{0};             // that are bound to the region
    std::vector<Piece> pieces_;
    std::vector<std::shared_ptr<const memory::GuestRegion>> keep_mapped_;
};

struct Region::Layout {
    Layout() = default;
    explicit Layout(std::vector<memory::PinnedRange> ranges);
    // All of a guest's memory; nothing for null.
    explicit Layout(const memory::GuestMemory* memory);

    uint64_t length = 0;  // of a region of all memory
    std::byte* contiguous = nullptr;
    std::vector<Piece> pieces;
    std::vector<std::shared_ptr<const memory::GuestRegion>> keep_mapped;
};

// The regions of one port by key. A key is an index and 8 bits that change whenever the index is
// used again, so that a stale key hits nothing. The table changes in a Pause only, but for the
// keys that work requests register and invalidate.
class RegionTable {
  public:
    using Room = SlotTable<Region>::Room;
    Room make_room() const { return regions_.make_room(); }
    // There are fewer regions than a key has room for: EmbeddedLimits::max_mr.
    void insert(Region& region, Room& room);
    void erase(const Region& region);
    // Puts the region into an empty table that a successor has made the same, under the key that
    // was the region's. EINVAL for a key that was none's, EEXIST for another one's.
    Result<void> insert_at(Region& region, uint32_t key);
    SlotTable<Region>& numbers() { return regions_; }
    const SlotTable<Region>& numbers() const { return regions_; }

    const Region* find(uint32_t key) const {
        const Region* region = at(key);
        // Sequentially consistent: see GracePeriod.
        return region != nullptr && region->key_.load(std::memory_order_seq_cst) == key ? region
                                                                                        : nullptr;
    }

    // The region that `key`, but for its low 8 bits, belongs to, whether valid or not.
    Region* at(uint32_t key) const { return regions_.at(key >> 8); }

  private:
    SlotTable<Region> regions_{1};  // a key is never 0
};

}  // namespace vrdma::embedded
