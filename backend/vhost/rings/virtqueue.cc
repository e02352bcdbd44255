// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vhost/rings/virtqueue.h"

#include <fmt/format.h>
#include <linux/virtio_config.h>

#include <algorithm>
#include <cassert>
#include <new>

#include "vhost/feature_bit.h"

namespace vrdma::vhost {
namespace {

// Vectors kept for reuse; more than this many chains are seldom taken at once.
constexpr size_t kMaxRecycled = 64;

}  // namespace

Virtqueue::Virtqueue(uint16_t index, EventfdSignaller& signaller,
                     std::shared_ptr<spdlog::logger> logger)
    : index_(index), signaller_(signaller), logger_(std::move(logger)) {
    // push() and unpop() must not run out of memory.
    recycled_.reserve(kMaxRecycled);
    unpopped_.reserve(1);
}

void Virtqueue::signal(const FileDescriptor& eventfd) {
    if (!eventfd.valid()) {
        return;
    }
    if (auto signalled = signaller_.signal(eventfd.get()); !signalled) {
        logger_->error("queue {}: the VMM cannot be signalled: {}", index_,
                       to_string(signalled.error()));
    }
}

template <typename Function>
auto Virtqueue::with_ring(Function function) {
    if (auto* split = std::get_if<SplitRing>(&ring_)) {
        return function(*split);
    }
    return function(std::get<PackedRing>(ring_));
}

Result<void> Virtqueue::fail_locked(const char* what) {
    if (failure_ == nullptr) {
        failure_ = what;
        logger_->error("queue {} stopped: {}", index_, what);
        signal(error_);
    }
    return fail(EPROTO);
}

Result<std::optional<DescriptorChain>> Virtqueue::pop() {
    std::lock_guard lock(mutex_);
    if (failure_ != nullptr) {
        return fail(EPROTO);
    }
    if (std::holds_alternative<std::monostate>(ring_)) {
        return fail(ENOTCONN);
    }
    if (!unpopped_.empty()) {
        std::optional<DescriptorChain> chain(std::move(unpopped_.back()));
        unpopped_.pop_back();
        ++taken_;
        return chain;
    }
    try {
        return take_locked();
    } catch (const std::bad_alloc&) {
        return fail(fail_locked("vrdmad has no memory left for its buffers").error());
    }
}

Result<std::optional<DescriptorChain>> Virtqueue::take_locked() {
    std::vector<memory::HostRange> segments;
    if (!recycled_.empty()) {
        segments = std::move(recycled_.back());
        recycled_.pop_back();
    }
    ChainBuilder builder(*memory_, layout_.size, std::move(segments));
    const uint16_t cursor = with_ring([](auto& ring) { return ring.cursor(); });
    auto taken = with_ring([&](auto& ring) { return ring.pop(builder); });
    if (!taken) {
        return fail(fail_locked(taken.error().what).error());
    }
    if (!*taken) {
        recycled_.push_back(builder.take_segments());
        return std::nullopt;
    }
    // A driver that offers what it has not got back would have the device hold any number.
    slots_ += (*taken)->slots;
    if (slots_ > layout_.size) {
        with_ring([&](auto& ring) { ring.rewind(cursor); });
        return fail(fail_locked("more descriptors are available than the ring has").error());
    }
    DescriptorChain chain;
    chain.memory_ = memory_;
    chain.readable_count_ = builder.readable_count();
    chain.readable_size_ = builder.readable_size();
    chain.writable_size_ = builder.writable_size();
    chain.segments_ = builder.take_segments();
    chain.id_ = (*taken)->id;
    chain.slots_ = (*taken)->slots;
    chain.cursor_ = cursor;
    chain.sequence_ = next_sequence_++;
    ++taken_;
    return std::optional<DescriptorChain>(std::move(chain));
}

void Virtqueue::push(DescriptorChain&& chain, uint32_t written) {
    assert(chain.memory_ != nullptr);
    assert(written <= chain.writable_size_);
    std::lock_guard lock(mutex_);
    --taken_;
    push_locked(chain, written);
}

void Virtqueue::push_locked(DescriptorChain& chain, uint32_t written) {
    if (failure_ == nullptr) {
        with_ring([&](auto& ring) { ring.push(TakenChain{chain.id_, chain.slots_}, written); });
        slots_ -= chain.slots_;
        unsignalled_ = true;
    }
    recycle_locked(chain);
}

void Virtqueue::recycle_locked(DescriptorChain& chain) {
    chain.memory_.reset();
    if (recycled_.size() < kMaxRecycled) {
        recycled_.push_back(std::move(chain.segments_));
    }
}

void Virtqueue::unpop(DescriptorChain&& chain) {
    assert(chain.memory_ != nullptr);
    std::lock_guard lock(mutex_);
    --taken_;
    auto position =
        std::lower_bound(unpopped_.begin(), unpopped_.end(), chain,
                         [](const auto& a, const auto& b) { return a.sequence_ > b.sequence_; });
    unpopped_.insert(position, std::move(chain));
}

bool Virtqueue::notify() {
    std::lock_guard lock(mutex_);
    if (!unsignalled_ || failure_ != nullptr || std::holds_alternative<std::monostate>(ring_)) {
        return false;
    }
    unsignalled_ = false;
    if (!with_ring([](auto& ring) { return ring.should_notify(); })) {
        return false;
    }
    signal_call_locked();
    return true;
}

void Virtqueue::signal_call_locked() {
    missed_call_ = !call_.valid();
    signal(call_);
}

bool Virtqueue::enable_notifications() {
    std::lock_guard lock(mutex_);
    if (failure_ != nullptr || std::holds_alternative<std::monostate>(ring_)) {
        return false;
    }
    return with_ring([](auto& ring) { return ring.enable_notifications(); }) || !unpopped_.empty();
}

void Virtqueue::disable_notifications() {
    std::lock_guard lock(mutex_);
    if (failure_ == nullptr && !std::holds_alternative<std::monostate>(ring_)) {
        with_ring([](auto& ring) { ring.disable_notifications(); });
    }
}

std::string Virtqueue::failure() const {
    std::lock_guard lock(mutex_);
    return failure_ == nullptr ? "" : failure_;
}

Result<Virtqueue::Ring> Virtqueue::make_ring(const RingLayout& layout, uint32_t base,
                                             const memory::GuestMemory& memory) {
    if (layout.features & bit(VIRTIO_F_RING_PACKED)) {
        auto ring = PackedRing::create(layout, memory, base);
        return ring ? Result<Ring>(*ring) : fail(ring.error());
    }
    auto ring = SplitRing::create(layout, memory, base);
    return ring ? Result<Ring>(*ring) : fail(ring.error());
}

Result<void> Virtqueue::set_up(const RingLayout& layout, uint32_t base,
                               std::shared_ptr<const memory::GuestMemory> memory) {
    std::lock_guard lock(mutex_);
    auto made = make_ring(layout, base, *memory);
    if (!made) {
        // The VMM need not ask for the outcome of SET_VRING_KICK.
        signal(error_);
        return fail(made.error());
    }
    ring_ = *made;
    layout_ = layout;
    memory_ = std::move(memory);
    failure_ = nullptr;
    next_sequence_ = 0;
    taken_ = 0;
    slots_ = 0;
    unsignalled_ = false;
    with_ring([](auto& ring) { ring.enable_notifications(); });
    return {};
}

uint32_t Virtqueue::tear_down() {
    std::lock_guard lock(mutex_);
    if (std::holds_alternative<std::monostate>(ring_)) {
        return 0;
    }
    if (taken_ != 0) {
        logger_->critical("queue {}: the device still holds {} chains", index_, taken_);
    }
    resume_positions_locked();
    // The driver may wait for an interrupt that the device meant to give later.  One too
    // many does no harm.
    if (unsignalled_) {
        signal_call_locked();
    }
    const uint32_t base = with_ring([](auto& ring) { return ring.base(); });
    ring_ = Ring();
    failure_ = nullptr;  // an error eventfd that is set from now on has nothing to do with it
    memory_.reset();
    recycled_.clear();
    return base;
}

// Moves the ring back over the chains that were unpopped, so that whoever resumes it finds
// them.  An unpopped chain before one that was used already cannot be found again: rather than
// have the driver wait for it forever, it is used as well, with nothing written.
void Virtqueue::resume_positions_locked() {
    std::reverse(unpopped_.begin(), unpopped_.end());
    while (!unpopped_.empty() && unpopped_.back().sequence_ + 1 == next_sequence_) {
        --next_sequence_;
        with_ring([&](auto& ring) { ring.rewind(unpopped_.back().cursor_); });
        recycle_locked(unpopped_.back());
        unpopped_.pop_back();
    }
    for (auto& chain : unpopped_) {
        logger_->warn("queue {}: chain {} is given back empty", index_, chain.id_);
        push_locked(chain, 0);
    }
    unpopped_.clear();
}

bool Virtqueue::change_memory(std::shared_ptr<const memory::GuestMemory> memory) {
    std::lock_guard lock(mutex_);
    if (std::holds_alternative<std::monostate>(ring_)) {
        return true;
    }
    auto located = with_ring([&](auto& ring) { return ring.relocate(layout_, *memory); });
    if (!located) {
        // The old memory stays mapped as long as the ring points into it.
        fail_locked("the memory that it is in was removed");
        return false;
    }
    memory_ = std::move(memory);
    return true;
}

void Virtqueue::set_kick(FileDescriptor kick) {
    kick_ = std::move(kick);
}

void Virtqueue::set_call(FileDescriptor call) {
    std::lock_guard lock(mutex_);
    call_ = std::move(call);
    if (missed_call_) {
        signal_call_locked();
    }
}

int Virtqueue::call_fd() const {
    std::lock_guard lock(mutex_);
    return call_.get();
}

int Virtqueue::error_fd() const {
    std::lock_guard lock(mutex_);
    return error_.get();
}

void Virtqueue::set_error(FileDescriptor error) {
    std::lock_guard lock(mutex_);
    error_ = std::move(error);
    if (failure_ != nullptr) {
        signal(error_);
    }
}

}  // namespace vrdma::vhost
