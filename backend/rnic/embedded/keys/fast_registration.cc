// SPDX-License-Identifier: Apache-2.0
// Memory regions that work requests register and invalidate (IBTA 1.4, 10.6.3.4 and 10.6.5).
#include "rnic/embedded/keys/fast_registration.h"

#include <vrdma_check.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <mutex>

#include "memory/guest_access.h"
#include "rnic/embedded/engine.h"
#include "rnic/embedded/keys/region.h"
#include "rnic/verbs_abi.h"

namespace vrdma::embedded {
namespace {

constexpr uint32_t kRemoteAccess = kAccessRemoteWrite | kAccessRemoteRead | kAccessRemoteAtomic;

struct Registered {
    uint64_t iova;
    uint64_t length;
    uint64_t page_size;
    uint32_t page_count;
};

// guest-controlled: a private copy
bool valid(const Registered& wanted, uint32_t max_pages) {
    if (!std::has_single_bit(wanted.page_size) || wanted.page_size < VRDMA_SHM_PAGE_SIZE ||
        wanted.page_count > max_pages || !vrdma_range_valid(wanted.iova, wanted.length)) {
        return false;
    }
    // At most 2^31 * 2^32 bytes.
    const uint64_t room = wanted.page_size * wanted.page_count;
    const uint64_t skipped = wanted.iova % wanted.page_size;
    return skipped < room && wanted.length <= room - skipped;
}

}  // namespace

void FastRegistration::read(uint64_t offset, std::span<std::byte> to) const {
    for (const auto& piece : description) {
        if (to.empty()) break;
        if (offset >= piece.range.size) {
            offset -= piece.range.size;
            continue;
        }
        const size_t here = std::min<uint64_t>(piece.range.size - offset, to.size());
        std::memcpy(to.data(), piece.range.data + offset, here);
        to = to.subspan(here);
        offset = 0;
    }
    // What was copied is what is checked and used.
    std::atomic_signal_fence(std::memory_order_seq_cst);
}

Result<std::unique_ptr<Mr>> Mr::create_fast(Engine& engine, PortState& port, const Pd& pd,
                                            rnic::FastMrAttributes attributes) {
    uint64_t size = 0;
    for (const auto& piece : attributes.description) size += piece.range.size;
    if (attributes.max_pages == 0 || attributes.max_pages > kMaxFastRegPages ||
        size != sizeof(vrdma_fast_reg) + attributes.max_pages * sizeof(uint64_t)) {
        return fail(EINVAL);
    }
    auto count =
        LiveCount::take(engine.live.memory_regions, port.live.memory_regions, engine.limits.max_mr);
    if (!count) return fail(ENOMEM);
    std::unique_ptr<Mr> mr(new Mr(engine, port, pd, rnic::MrAttributes{}, std::move(*count)));
    mr->fast_ =
        std::make_unique<FastRegistration>(attributes.max_pages, std::move(attributes.description));
    mr->pieces_.reserve(attributes.max_pages);
    Gate::Pause pause(engine.gate);
    port.mrs.insert(*mr);
    mr->fast_->key = mr->first_key_;
    mr->key_.store(0, std::memory_order_relaxed);
    return mr;
}

bool Mr::is_free() {
    if (fast_->state == FastRegistration::State::kInvalidating && fast_->grace.over(engine_)) {
        fast_->state = FastRegistration::State::kFree;
        fast_->memory.reset();
    }
    return fast_->state == FastRegistration::State::kFree;
}

Mr::Registration Mr::register_pages(uint32_t key, uint32_t access) {
    std::lock_guard lock(fast_->lock);
    if (!is_free()) {
        return fast_->state == FastRegistration::State::kInvalidating ? Registration::kPending
                                                                      : Registration::kRefused;
    }
    if (!check_access(access)) return Registration::kRefused;
    vrdma_fast_reg header;
    fast_->read(0, std::as_writable_bytes(std::span(&header, 1)));
    const Registered wanted{.iova = le64toh(header.iova),
                            .length = le64toh(header.length),
                            .page_size = le32toh(header.page_size),
                            .page_count = le32toh(header.page_count)};
    if (!valid(wanted, fast_->max_pages)) return Registration::kRefused;
    fast_->pages.resize(wanted.page_count);
    fast_->read(sizeof(header), std::as_writable_bytes(std::span(fast_->pages)));

    // Nobody reads what follows before the key is valid.
    iova_ = wanted.iova;
    length_ = wanted.length;
    access_ = access;
    fast_->memory = port_.memory;
    if (!place_pages(wanted.page_size)) {
        fast_->memory.reset();
        return Registration::kRefused;
    }
    fast_->key = key;
    fast_->state = FastRegistration::State::kValid;
    key_.store(key, std::memory_order_release);
    return Registration::kDone;
}

// False when a page is not aligned or not of the guest's memory.
bool Mr::place_pages(uint64_t page_size) {
    pieces_.clear();
    if (fast_->memory == nullptr) return false;
    uint64_t done = 0;
    uint64_t skipped = iova_ % page_size;
    const std::byte* end = nullptr;
    for (const uint64_t wire : fast_->pages) {
        if (done == length_) break;
        const uint64_t page = le64toh(wire);
        if (page % page_size != 0) return false;
        const uint64_t here = std::min(page_size - skipped, length_ - done);
        const auto range = fast_->memory->translate({page + skipped}, here);
        if (!range) return false;
        if (range->data != end) pieces_.push_back({done, range->data});
        end = range->data + here;
        done += here;
        skipped = 0;
    }
    contiguous_ = pieces_.size() == 1 ? pieces_.front().data : nullptr;
    return true;
}

Invalidation Mr::invalidate(uint32_t key, bool remote, const Worker& self) {
    if (fast_ == nullptr) return Invalidation::kRefused;
    std::lock_guard lock(fast_->lock);
    if (fast_->key != key) return Invalidation::kRefused;
    if (fast_->state == FastRegistration::State::kValid) {
        // A region that allows no remote access has no R_Key (IBTA 1.4, 10.6.3.4).
        if (remote && (access_ & kRemoteAccess) == 0) return Invalidation::kRefused;
        key_.store(0, std::memory_order_seq_cst);
        fast_->state = FastRegistration::State::kInvalidating;
        fast_->grace.begin(engine_, self);
    }
    return is_free() ? Invalidation::kDone : Invalidation::kPending;
}

}  // namespace vrdma::embedded
