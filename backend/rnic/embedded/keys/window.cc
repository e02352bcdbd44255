// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/keys/window.h"

#include <mutex>

#include "rnic/embedded/rings/rxe_abi.h"

namespace vrdma::embedded {
namespace {

constexpr uint32_t kVariant = 0xff;

}  // namespace

// Nobody finds the binding any more.
void Window::release() {
    if (region_ != nullptr) {
        region_->count_window(-1);
    }
    if (owner_ != nullptr) {
        owner_->count_window(-1);
    }
    region_ = nullptr;
    owner_ = nullptr;
}

void Window::begin_invalidation(const WorkerSlices& slices) {
    state_ = State::kInvalidating;
    // A slice that got the region before this lock was taken may still be copying.
    grace_.begin(slices);
}

bool Window::is_free(const WorkerSlices& slices) {
    if (state_ == State::kInvalidating && grace_.over(slices)) {
        state_ = State::kFree;
        release();
    }
    return state_ == State::kFree;
}

// IBTA 1.4, 10.6.7.2 and C10-72 to C10-75.
bool Window::may_bind(const WindowOwner& owner, const Binding& wanted) const {
    if (pd_ != &owner.pd() || wanted.current_key != key_) {
        return false;
    }
    const bool zero_based = (wanted.access & kAccessZeroBased) != 0;
    // o10-36.2.2: windows of type 1 are not zero-based; o10-37.2.40: type 2 is not unbound so.
    if (type2_ ? wanted.length == 0 : zero_based) {
        return false;
    }
    if (wanted.length == 0) {
        return true;
    }
    return may_bind_to(wanted.region, wanted.address, wanted.length, wanted.access);
}

bool Window::may_bind_to(const Region* region, uint64_t address, uint64_t length,
                         uint32_t access) const {
    if (region == nullptr || region->pd() != pd_ || !region->allows(kAccessMwBind) ||
        !region->is_of_process()) {
        return false;
    }
    if ((access & (kAccessRemoteWrite | kAccessRemoteAtomic)) != 0 &&
        !region->allows(kAccessLocalWrite)) {
        return false;
    }
    return region->covers(address, length);
}

// An invalidation that was to wait for accesses of before is over: no worker is in a slice.
Window::Bound Window::bound() const {
    if (state_ != State::kBound) {
        return {};
    }
    return {.region = region_,
            .owner = owner_,
            .access = access_,
            .address = address_,
            .length = length_};
}

Result<void> Window::restore(uint32_t key, const Bound& bound) {
    if ((key & ~kVariant) != (first_key_ & ~kVariant)) {
        return fail(EINVAL);
    }
    if (bound.region != nullptr) {
        const bool has_owner = bound.owner != nullptr && &bound.owner->pd() == pd_;
        if (bound.length == 0 || has_owner != type2_ ||
            (!type2_ && (bound.access & kAccessZeroBased) != 0) ||
            !may_bind_to(bound.region, bound.address, bound.length, bound.access)) {
            return fail(EINVAL);
        }
        access_ = bound.access;
        address_ = bound.address;
        length_ = bound.length;
        region_ = bound.region;
        region_->count_window(1);
        if (type2_) {
            owner_ = bound.owner;
            owner_->count_window(1);
        }
        state_ = State::kBound;
    }
    key_ = key;
    return {};
}

Invalidation Window::bind(WindowOwner& owner, const Binding& wanted, const WorkerSlices& slices) {
    const std::lock_guard lock(lock_);
    if (!may_bind(owner, wanted)) {
        return Invalidation::kRefused;
    }
    // A window of type 1 that is bound loses that binding; one of type 2 must be free.
    if (state_ == State::kBound) {
        if (type2_) {
            return Invalidation::kRefused;
        }
        begin_invalidation(slices);
    }
    if (!is_free(slices)) {
        return Invalidation::kPending;
    }
    key_ = (key_ & ~kVariant) | (wanted.key & kVariant);
    if (wanted.length == 0) {
        return Invalidation::kDone;
    }
    access_ = wanted.access;
    address_ = wanted.address;
    length_ = wanted.length;
    region_ = wanted.region;
    region_->count_window(1);
    if (type2_) {
        owner_ = &owner;
        owner_->count_window(1);
    }
    state_ = State::kBound;
    return Invalidation::kDone;
}

Invalidation Window::invalidate(uint32_t key, const WindowOwner& owner,
                                const WorkerSlices& slices) {
    const std::lock_guard lock(lock_);
    // o10-37.2.26: windows of type 1 are not invalidated by work requests.
    if (!type2_ || key != key_ || pd_ != &owner.pd()) {
        return Invalidation::kRefused;
    }
    if (state_ == State::kBound) {
        if (owner_ != &owner) {
            return Invalidation::kRefused;
        }
        begin_invalidation(slices);
    }
    return is_free(slices) ? Invalidation::kDone : Invalidation::kPending;
}

const Region* Window::resolve(uint32_t key, const WindowOwner& owner, uint64_t& address,
                              uint64_t size, uint32_t access) {
    const std::lock_guard lock(lock_);
    if (state_ != State::kBound || key != key_ || pd_ != &owner.pd() ||
        (type2_ && owner_ != &owner) || (access_ & access) != access) {
        return nullptr;
    }
    const uint64_t start = (access_ & kAccessZeroBased) != 0 ? 0 : address_;
    const uint64_t offset = address - start;
    if (offset > length_ || size > length_ - offset) {
        return nullptr;
    }
    address = address_ + offset;
    return region_;
}

void Window::forget(const Region& region) {
    if (region_ != &region) {
        return;
    }
    release();
    state_ = State::kFree;
}

void Window::forget(const WindowOwner& owner) {
    if (owner_ != &owner) {
        return;
    }
    release();
    state_ = State::kFree;
}

void WindowTable::insert(Window& window, Room& room) {
    const uint32_t index = windows_.insert(window, room);
    window.first_key_ = kWindowBit | index << 8 | windows_.variant(index);
    window.key_ = window.first_key_;
}

Result<void> WindowTable::insert_at(Window& window, uint32_t key) {
    const uint32_t index = (key & ~kWindowBit) >> 8;
    if (windows_.at(index) != nullptr) {
        return fail(EEXIST);
    }
    if ((key & kWindowBit) == 0 || !windows_.is_reserved(index) ||
        windows_.variant(index) != (key & kVariant)) {
        return fail(EINVAL);
    }
    windows_.insert_at(index, window);
    window.first_key_ = key;
    window.key_ = key;
    return {};
}

void WindowTable::erase(const Window& window) {
    const uint32_t index = (window.first_key_ & ~kWindowBit) >> 8;
    windows_.variant(index) = static_cast<uint8_t>((window.key_ & kVariant) + 1);
    windows_.erase(index);
}

}  // namespace vrdma::embedded
