// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "rnic/embedded/keys/region.h"
#include "rnic/embedded/rings/work_request.h"

namespace vrdma::embedded {

// The memory that a message comes from or goes to, with keys and bounds checked. A list is valid
// during one slice only: between slices memory regions may go.
class ScatterList {
  public:
    ScatterList() = default;

    // Adds the `length` bytes of `sges` behind the first `skip`, which must be there. False: a key
    // is unknown or of another protection domain, or the region does not cover the entry or does
    // not allow `access` (IBTA 1.4, 10.6.3.1; 9.7.4.1.6 for remote ones).
    bool resolve(const RegionTable& regions, const Pd& pd, std::span<const Sge> sges,
                 uint32_t access, uint64_t skip, uint64_t length) {
        if (sges.size() == 1 && length != 0) [[likely]] {
            return add(regions, pd, sges[0].key, sges[0].address, sges[0].length, access, skip,
                       length);
        }
        return resolve_many(regions, pd, sges, access, skip, length);
    }

    // Adds the bytes [skip, skip + length) of one entry of `size` bytes at `address`.
    bool add(const RegionTable& regions, const Pd& pd, uint32_t key, uint64_t address,
             uint64_t size, uint32_t access, uint64_t skip, uint64_t length) {
        const Region* region = regions.find(key);
        if (region == nullptr || region->pd() != &pd || !region->allows(access) ||
            !region->covers(address, size)) [[unlikely]] {
            return false;
        }
        return add(*region, address, size, skip, length);
    }

    // The same for a region that has been found and that covers the entry.
    bool add(const Region& region, uint64_t address, uint64_t size, uint64_t skip,
             uint64_t length) {
        const uint64_t offset = region.offset_of(address) + skip;
        std::byte* whole = region.contiguous();
        if (whole == nullptr) [[unlikely]] {
            return add_pieces(region, offset, size, skip, length);
        }
        parts_[count_++] = {whole + offset, &region, offset, length};
        return true;
    }

    // Adds memory of this process.
    void add(std::byte* data, uint64_t length) { parts_[count_++] = {data, nullptr, 0, length}; }

    // The place of the list when all of it is in one place, else null.
    std::byte* contiguous() const { return count_ == 1 ? parts_[0].direct : nullptr; }

  private:
    friend class ScatterCursor;
    struct Part {
        std::byte* direct;  // null: in several pieces of `region`, from `offset`
        const Region* region;
        uint64_t offset;
        uint64_t length;
    };
    bool add_pieces(const Region& region, uint64_t offset, uint64_t size, uint64_t skip,
                    uint64_t length);
    bool resolve_many(const RegionTable& regions, const Pd& pd, std::span<const Sge> sges,
                      uint32_t access, uint64_t skip, uint64_t length);

    uint32_t count_ = 0;
    std::array<Part, kMaxSge + 1> parts_;
};

// Walks a list in contiguous steps.
class ScatterCursor {
  public:
    explicit ScatterCursor(const ScatterList& list) : list_(list) {}

    // The bytes that follow in one place, at most `limit` (> 0) of them. The list must hold some.
    std::span<std::byte> peek(uint64_t limit);
    void advance(uint64_t bytes);  // at most what peek() gave

  private:
    const ScatterList& list_;
    uint32_t part_ = 0;
    uint64_t used_ = 0;  // of that part
    bool piece_known_ = false;
    size_t piece_ = 0;  // of that part's region
};

// How many contiguous steps one turn may take: a guest may register memory in very small pieces,
// and must not keep the others waiting with them.
inline constexpr unsigned kStepsPerTurn = 128;

// Copies step by step, from and to whatever pieces there are, while `steps` are left, and takes
// those that were needed off them. Returns how many of the `length` bytes are copied.
uint64_t copy_pieces(const ScatterList& to, const ScatterList& from, uint64_t length,
                     unsigned& steps);

// Copies the first `length` bytes when both lists are in one place. False, with nothing done, when
// they are not. Both lists hold at least `length` bytes.
inline bool copy_at_once(const ScatterList& to, const ScatterList& from, uint64_t length) {
    std::byte* target = to.contiguous();
    const std::byte* source = from.contiguous();
    if (target == nullptr || source == nullptr) [[unlikely]] {
        return false;
    }
    std::memmove(target, source, length);  // guests may name overlapping memory
    return true;
}

// Copies all of `length` bytes, which are few.
inline void copy(const ScatterList& to, const ScatterList& from, uint64_t length) {
    auto steps = static_cast<unsigned>(length);
    copy_pieces(to, from, length, steps);
}

}  // namespace vrdma::embedded
