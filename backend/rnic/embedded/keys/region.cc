// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/keys/region.h"

#include <endian.h>
#include <vrdma_check.h>

#include <algorithm>
#include <mutex>

#include "rnic/embedded/rings/rxe_abi.h"

namespace vrdma::embedded {
namespace {

constexpr uint32_t kRemoteModify = kAccessRemoteWrite | kAccessRemoteAtomic;
constexpr uint32_t kRemoteAccess = kRemoteModify | kAccessRemoteRead;
// Rights that change nothing here: the pages are guest memory either way, and everything is
// ordered strictly.
constexpr uint32_t kNoEffect = kAccessHugeTlb | kAccessOptionalRange;
constexpr uint32_t kSupported =
    kAccessLocalWrite | kRemoteModify | kAccessRemoteRead | kAccessMwBind | kNoEffect;

}  // namespace

Region::Region(const Pd& pd, rnic::MrAttributes attributes)
    : pd_(&pd),
      access_(attributes.access),
      iova_(attributes.iova.value),
      length_(attributes.length) {
    Layout layout(std::move(attributes.pieces));
    exchange(layout);
}

Region::Region(const Pd& pd, rnic::FastMrAttributes attributes)
    : pd_(&pd), fast_(std::make_unique<FastRegistration>(std::move(attributes))) {
    pieces_.reserve(fast_->max_pages());
}

Result<void> Region::check_access(uint32_t access) {
    if ((access & ~kSupported) != 0) {
        return fail(EOPNOTSUPP);
    }
    if ((access & kRemoteModify) != 0 && (access & kAccessLocalWrite) == 0) {
        return fail(EINVAL);
    }
    return {};
}

Region::Layout::Layout(std::vector<memory::PinnedRange> ranges) {
    uint64_t offset = 0;
    const std::byte* end = nullptr;
    for (auto& range : ranges) {
        if (range.range.data != end) {
            pieces.push_back({offset, range.range.data});
        }
        end = range.range.data + range.range.size;
        offset += range.range.size;
        if (range.region && (keep_mapped.empty() || keep_mapped.back() != range.region)) {
            keep_mapped.push_back(std::move(range.region));
        }
    }
    contiguous = pieces.size() == 1 ? pieces.front().data : nullptr;
}

void Region::exchange(Layout& layout) {
    std::swap(contiguous_, layout.contiguous);
    pieces_.swap(layout.pieces);
    keep_mapped_.swap(layout.keep_mapped);
}

void Region::change(const rnic::MrChanges& changes, const Pd* pd,
                    const rnic::MrAttributes& attributes, Layout& layout) {
    if (changes.access) {
        access_ = attributes.access;
    }
    if (changes.pd) {
        pd_ = pd;
    }
    if (changes.translation) {
        iova_ = attributes.iova.value;
        length_ = attributes.length;
        exchange(layout);
    }
}

size_t Region::piece_at(uint64_t offset) const {
    const auto next =
        std::upper_bound(pieces_.begin(), pieces_.end(), offset,
                         [](uint64_t wanted, const Piece& piece) { return wanted < piece.offset; });
    return static_cast<size_t>(next - pieces_.begin()) - 1;
}

std::span<std::byte> Region::rest_of_piece(size_t index, uint64_t offset) const {
    const Piece& piece = pieces_[index];
    const uint64_t end = index + 1 < pieces_.size() ? pieces_[index + 1].offset : length_;
    return {piece.data + (offset - piece.offset), end - offset};
}

// IBTA 1.4, 10.6.3.4 and 10.6.5.
Registration Region::register_pages(uint32_t key, uint32_t access,
                                    const std::shared_ptr<const memory::GuestMemory>& memory,
                                    const WorkerSlices& slices) {
    const std::lock_guard lock(*fast_);
    if (!fast_->is_free(slices)) {
        return fast_->is_invalidating() ? Registration::kPending : Registration::kRefused;
    }
    WantedPages wanted;
    if (!check_access(access) || !fast_->read_description(wanted)) {
        return Registration::kRefused;
    }
    // Nobody reads what follows before the key is valid.
    iova_ = wanted.iova;
    length_ = wanted.length;
    access_ = access;
    if (!use_pages(memory.get(), wanted.page_size)) {
        return Registration::kRefused;
    }
    fast_->validate(key, memory);
    key_.store(key, std::memory_order_release);
    return Registration::kDone;
}

// False when a page is not aligned or is not of the guest's memory.
bool Region::use_pages(const memory::GuestMemory* memory, uint64_t page_size) {
    pieces_.clear();
    if (memory == nullptr) {
        return false;
    }
    uint64_t done = 0;
    uint64_t skipped = iova_ % page_size;
    const std::byte* end = nullptr;
    for (const uint64_t wire : fast_->pages()) {
        if (done == length_) {
            break;
        }
        const uint64_t page = le64toh(wire);
        if (page % page_size != 0) {
            return false;
        }
        const uint64_t here = std::min(page_size - skipped, length_ - done);
        const auto range = memory->translate({page + skipped}, here);
        if (!range) {
            return false;
        }
        if (range->data != end) {
            pieces_.push_back({done, range->data});
        }
        end = range->data + here;
        done += here;
        skipped = 0;
    }
    contiguous_ = pieces_.size() == 1 ? pieces_.front().data : nullptr;
    return true;
}

Invalidation Region::invalidate(uint32_t key, bool remote, const WorkerSlices& slices) {
    if (fast_ == nullptr) {
        return Invalidation::kRefused;
    }
    const std::lock_guard lock(*fast_);
    if (fast_->key() != key) {
        return Invalidation::kRefused;
    }
    if (fast_->is_valid()) {
        // A region that allows no remote access has no R_Key (IBTA 1.4, 10.6.3.4).
        if (remote && (access_ & kRemoteAccess) == 0) {
            return Invalidation::kRefused;
        }
        key_.store(0, std::memory_order_seq_cst);
        fast_->begin_invalidation(slices);
    }
    return fast_->is_free(slices) ? Invalidation::kDone : Invalidation::kPending;
}

std::optional<std::vector<GuestRun>> Region::runs() const {
    std::vector<GuestRun> runs;
    // A region of no bytes has the byte at which it begins.
    const uint64_t extent = vrdma_region_extent(length_);
    for (size_t i = 0; i < pieces_.size(); ++i) {
        const uint64_t end = i + 1 < pieces_.size() ? pieces_[i + 1].offset : extent;
        if (!append_runs(keep_mapped_, pieces_[i].data, end - pieces_[i].offset, runs)) {
            return std::nullopt;
        }
    }
    return runs;
}

// An invalidation that was to wait for accesses of before is over: no worker is in a slice.
std::optional<Region::Registered> Region::registered() const {
    Registered now;
    now.key = fast_->key();
    now.valid = fast_->is_valid();
    if (!now.valid) {
        return now;
    }
    now.access = access_;
    now.iova = iova_;
    now.length = length_;
    for (size_t i = 0; i < pieces_.size(); ++i) {
        const uint64_t length = rest_of_piece(i, pieces_[i].offset).size();
        if (!append_runs(fast_->memory()->regions(), pieces_[i].data, length, now.runs)) {
            return std::nullopt;
        }
    }
    return now;
}

Result<void> Region::restore(const Registered& registered,
                             const std::shared_ptr<const memory::GuestMemory>& memory) {
    if (registered.key >> 8 != first_key_ >> 8) {
        return fail(EINVAL);
    }
    fast_->set_key(registered.key);
    if (!registered.valid) {
        return {};
    }
    if (!check_access(registered.access) || registered.runs.size() > max_pages() ||
        !vrdma_range_valid(registered.iova, registered.length)) {
        return fail(EINVAL);
    }
    if (memory == nullptr) {
        return fail(EFAULT);
    }
    uint64_t done = 0;
    const std::byte* end = nullptr;
    for (const GuestRun& run : registered.runs) {
        if (run.length > registered.length - done) {
            return fail(EINVAL);
        }
        const auto range = memory->translate({run.address}, run.length);
        if (!range) {
            return fail(range.error());
        }
        if (range->data != end) {
            pieces_.push_back({done, range->data});
        }
        end = range->data + run.length;
        done += run.length;
    }
    if (done != registered.length) {
        return fail(EINVAL);
    }
    access_ = registered.access;
    iova_ = registered.iova;
    length_ = registered.length;
    contiguous_ = pieces_.size() == 1 ? pieces_.front().data : nullptr;
    fast_->validate(registered.key, memory);
    key_.store(registered.key, std::memory_order_release);
    return {};
}

void Region::enter_table(uint32_t key) {
    first_key_ = key;
    if (fast_ != nullptr) {
        fast_->set_key(key);
    }
    // The key of a region that work requests register becomes valid with the first registration.
    key_.store(fast_ != nullptr ? 0 : key, std::memory_order_relaxed);
}

void RegionTable::insert(Region& region, Room& room) {
    const uint32_t index = regions_.insert(region, room);
    region.enter_table(index << 8 | regions_.variant(index));
}

Result<void> RegionTable::insert_at(Region& region, uint32_t key) {
    const uint32_t index = key >> 8;
    if (regions_.at(index) != nullptr) {
        return fail(EEXIST);
    }
    if (!regions_.is_reserved(index) || regions_.variant(index) != (key & 0xff)) {
        return fail(EINVAL);
    }
    regions_.insert_at(index, region);
    region.enter_table(key);
    return {};
}

void RegionTable::erase(const Region& region) {
    const uint32_t index = region.first_key_ >> 8;
    ++regions_.variant(index);
    regions_.erase(index);
}

}  // namespace vrdma::embedded
