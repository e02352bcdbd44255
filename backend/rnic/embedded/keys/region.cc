// SPDX-License-Identifier: Apache-2.0
#include "rnic/embedded/keys/region.h"

#include <algorithm>

#include "rnic/embedded/engine.h"
#include "rnic/verbs_abi.h"

namespace vrdma::embedded {
namespace {

constexpr uint32_t kRemoteModify = kAccessRemoteWrite | kAccessRemoteAtomic;
// Rights that change nothing here: the pages are guest memory either way, and
// everything is ordered strictly (IB_ACCESS_HUGETLB, IB_UVERBS_ACCESS_OPTIONAL_RANGE).
constexpr uint32_t kNoEffect = 0x80 | 0x3ff00000;
constexpr uint32_t kSupported =
    kAccessLocalWrite | kRemoteModify | kAccessRemoteRead | kAccessMwBind | kNoEffect;

Result<void> check_range(const rnic::MrAttributes& attributes) {
    if (attributes.length == 0 || attributes.length - 1 > ~attributes.iova.value) {
        return fail(EINVAL);
    }
    uint64_t sum = 0;
    for (const auto& piece : attributes.pieces) {
        if (piece.range.size == 0 || piece.range.size > attributes.length - sum) {
            return fail(EINVAL);
        }
        sum += piece.range.size;
    }
    if (sum != attributes.length) return fail(EINVAL);
    return {};
}

}  // namespace

Result<void> Mr::check_access(uint32_t access) {
    if ((access & ~kSupported) != 0) return fail(EOPNOTSUPP);
    if ((access & kRemoteModify) != 0 && (access & kAccessLocalWrite) == 0) return fail(EINVAL);
    return {};
}

Result<std::unique_ptr<Mr>> Mr::create(Engine& engine, PortState& port, const Pd& pd,
                                       rnic::MrAttributes attributes) {
    if (auto checked = check_access(attributes.access); !checked) return fail(checked.error());
    if (auto checked = check_range(attributes); !checked) return fail(checked.error());
    auto count =
        LiveCount::take(engine.live.memory_regions, port.live.memory_regions, engine.limits.max_mr);
    if (!count) return fail(ENOMEM);
    std::unique_ptr<Mr> mr(new Mr(engine, port, pd, std::move(attributes), std::move(*count)));
    Gate::Pause pause(engine.gate);
    port.mrs.insert(*mr);
    return mr;
}

Mr::Mr(Engine& engine, PortState& port, const Pd& pd, rnic::MrAttributes attributes,
       LiveCount count)
    : pd_(&pd),
      access_(attributes.access),
      iova_(attributes.iova.value),
      length_(attributes.length),
      engine_(engine),
      port_(port),
      count_(std::move(count)) {
    place(std::move(attributes.pieces));
}

void Mr::place(std::vector<memory::PinnedRange> pieces) {
    pieces_.clear();
    keep_mapped_.clear();
    uint64_t offset = 0;
    const std::byte* end = nullptr;
    for (auto& piece : pieces) {
        if (piece.range.data != end) pieces_.push_back({offset, piece.range.data});
        end = piece.range.data + piece.range.size;
        offset += piece.range.size;
        if (piece.region && (keep_mapped_.empty() || keep_mapped_.back() != piece.region)) {
            keep_mapped_.push_back(std::move(piece.region));
        }
    }
    contiguous_ = pieces_.size() == 1 ? pieces_.front().data : nullptr;
}

Result<void> Mr::reregister(const rnic::MrChanges& changes, rnic::ProtectionDomain* pd,
                            rnic::MrAttributes attributes, rnic::Udata&) {
    if (!is_lasting()) return fail(EINVAL);
    if (changes.access) {
        if (auto checked = check_access(attributes.access); !checked) return checked;
    }
    if (changes.translation) {
        if (auto checked = check_range(attributes); !checked) return checked;
    }
    Gate::Pause pause(engine_.gate);
    if (windows_.load(std::memory_order_relaxed) != 0) return fail(EBUSY);
    if (changes.access) access_ = attributes.access;
    if (changes.pd) pd_ = static_cast<const Pd*>(pd);
    if (changes.translation) {
        iova_ = attributes.iova.value;
        length_ = attributes.length;
        place(std::move(attributes.pieces));
    }
    // Keys that were given to others before reach nothing of what it is now.
    port_.mrs.erase(*this);
    port_.mrs.insert(*this);
    return {};
}

Result<void> Mr::deregister() {
    Gate::Pause pause(engine_.gate);
    if (windows_.load(std::memory_order_relaxed) != 0) return fail(EBUSY);
    return {};
}

Mr::~Mr() {
    if (first_key_ == 0) return;
    Gate::Pause pause(engine_.gate);
    if (windows_.load(std::memory_order_relaxed) != 0) port_.mws.forget(*this);
    port_.mrs.erase(*this);
    if (is_dma_) std::erase(port_.dma_regions, this);
}

size_t Mr::piece_at(uint64_t offset) const {
    const auto next =
        std::upper_bound(pieces_.begin(), pieces_.end(), offset,
                         [](uint64_t wanted, const Piece& piece) { return wanted < piece.offset; });
    return static_cast<size_t>(next - pieces_.begin()) - 1;
}

std::span<std::byte> Mr::rest_of_piece(size_t index, uint64_t offset) const {
    const Piece& piece = pieces_[index];
    const uint64_t end = index + 1 < pieces_.size() ? pieces_[index + 1].offset : length_;
    return {piece.data + (offset - piece.offset), end - offset};
}

void MrTable::insert(Mr& mr) {
    uint32_t index;
    if (free_.empty()) {
        index = static_cast<uint32_t>(regions_.size());
        regions_.push_back(nullptr);
        variants_.push_back(0);
    } else {
        index = free_.front();
        free_.pop_front();
    }
    regions_[index] = &mr;
    mr.first_key_ = index << 8 | variants_[index];
    mr.key_.store(mr.first_key_, std::memory_order_relaxed);
}

void MrTable::erase(Mr& mr) {
    const uint32_t index = mr.first_key_ >> 8;
    regions_[index] = nullptr;
    ++variants_[index];
    free_.push_back(index);
}

}  // namespace vrdma::embedded
