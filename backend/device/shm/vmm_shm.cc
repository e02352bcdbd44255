// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "device/shm/vmm_shm.h"

#include <vrdma_protocol.h>

#include <algorithm>
#include <utility>

namespace vrdma::device {

VmmShm::VmmShm(std::string guest, std::shared_ptr<spdlog::logger> logger)
    : guest_(std::move(guest)), log_(std::move(logger)) {}

// Sends a request to the VMM.
Result<std::shared_ptr<VmmShm::Pending>> VmmShm::ask_locked(std::unique_lock<std::mutex>& lock,
                                                            const ShmSource& source) {
    const uint64_t length = source.length;
    auto pending = std::make_shared<Pending>();
    pending->source = source;
    if (channel_ == nullptr) {
        log_.warn(Errno{ENOTCONN}, "{}: the VMM gave no channel to map through; the verb gets {}",
                  guest_, to_string(Errno{ENOTCONN}));
        return fail(ENOTCONN);
    }
    auto offset = allocator_.allocate(length);
    // Ranges that the guest has given up may not have been given back yet.
    while (!offset && !unmaps_.empty() && cancelled_ == 0) {
        changed_.wait(lock);
        offset = allocator_.allocate(length);
    }
    if (!offset && cancelled_ != 0) {
        return fail(ECANCELED);
    }
    if (!offset) {
        log_.warn(
            offset.error(),
            "{}: limit reached: the shared memory region of {} bytes has no room for {} more, {} "
            "are in "
            "use; raise shm-size of the guest's vrdma-pci device; the verb gets {}",
            guest_, allocator_.size(), length, allocator_.used(), to_string(offset.error()));
        return fail(offset.error());
    }
    pending->range = {.offset = *offset, .length = length, .generation = generation_};

    const vhost::MapRequest request{.region = VRDMA_SHM_ID,
                                    .fd = source.fd,
                                    .fd_offset = source.fd_offset,
                                    .region_offset = *offset,
                                    .length = length,
                                    .writable = true};
    auto sent =
        channel_->map(request, [this, pending](Result<void> result) { finish(pending, result); });
    if (!sent) {
        allocator_.free(*offset, length);
        log_.warn(Errno{ENOTCONN},
                  "{}: the VMM cannot be asked to map {} bytes: {}; the verb gets {}", guest_,
                  length, to_string(sent.error()), to_string(Errno{ENOTCONN}));
        return fail(ENOTCONN);
    }
    under_way_.push_back(pending);
    return pending;
}

// What the VMM was asked for when the command was executed before; or none.
std::shared_ptr<VmmShm::Pending> VmmShm::claim_locked(const ShmSource& source) {
    auto found = std::exchange(unclaimed_, nullptr);
    if (found == nullptr) {
        return nullptr;
    }
    const bool failed = found->done && !found->result;
    if (failed || !found->source.same_memory(source) || found->range.generation != generation_) {
        abandon_locked(*found);
        return nullptr;
    }
    return found;
}

void VmmShm::abandon_locked(Pending& pending) {
    pending.abandoned = true;
    if (pending.done && pending.result && pending.range.generation == generation_) {
        unmaps_.push_back(pending.range);
        send_unmaps_locked();
    }
}

Result<uint64_t> VmmShm::map(const ShmSource& source) {
    std::unique_lock lock(mutex_);
    if (cancelled_ != 0) {
        return fail(ECANCELED);
    }
    auto pending = claim_locked(source);
    if (pending == nullptr) {
        auto asked = ask_locked(lock, source);
        if (!asked) {
            return fail(asked.error());
        }
        pending = std::move(*asked);
    }
    changed_.wait(lock, [&] { return pending->done || cancelled_ != 0; });
    if (!pending->done) {
        unclaimed_ = std::move(pending);
        return fail(ECANCELED);
    }
    const uint64_t offset = pending->range.offset;
    // The RNIC's driver judges offsets when the VMM maps them: EINVAL means that the guest has
    // no such offset.
    if (!pending->result && pending->result.error() == Errno{EINVAL}) {
        return fail(EINVAL);
    }
    if (!pending->result) {
        log_.warn(Errno{ENOMEM},
                  "{}: the VMM could not map {} bytes at shared memory offset {:#x}: {}", guest_,
                  source.length, offset, to_string(pending->result.error()));
        // A VMM that cannot map is, to the guest, a device without memory.
        return fail(ENOMEM);
    }
    return offset;
}

void VmmShm::finish(const std::shared_ptr<Pending>& pending, Result<void> result) {
    const std::lock_guard lock(mutex_);
    std::erase(under_way_, pending);
    // The shared memory region may have been emptied since the request.
    const bool stale = pending->range.generation != generation_;
    pending->done = true;
    pending->result = stale ? fail(ECONNRESET) : result;
    if (!result) {
        allocator_.free(pending->range.offset, pending->range.length);
    } else if (stale || pending->abandoned) {
        unmaps_.push_back(pending->range);
        send_unmaps_locked();
    }
    changed_.notify_all();
}

Result<void> VmmShm::adopt(uint64_t shm_offset, uint64_t length) {
    constexpr uint64_t kPage = VRDMA_SHM_PAGE_SIZE;
    if (shm_offset % kPage != 0 || length % kPage != 0) {
        return fail(EINVAL);
    }
    const std::lock_guard lock(mutex_);
    return allocator_.claim(shm_offset, length);
}

std::optional<ShmMapper::Unclaimed> VmmShm::unclaimed() const {
    const std::lock_guard lock(mutex_);
    if (unclaimed_ == nullptr || !unclaimed_->done || !unclaimed_->result) {
        return std::nullopt;
    }
    return Unclaimed{.source = unclaimed_->source, .shm_offset = unclaimed_->range.offset};
}

Result<void> VmmShm::adopt_unclaimed(const Unclaimed& mapping) {
    if (auto adopted = adopt(mapping.shm_offset, mapping.source.length); !adopted) {
        return adopted;
    }
    const std::lock_guard lock(mutex_);
    unclaimed_ = std::make_shared<Pending>();
    unclaimed_->source = mapping.source;
    unclaimed_->range = {
        .offset = mapping.shm_offset, .length = mapping.source.length, .generation = generation_};
    unclaimed_->done = true;
    return {};
}

void VmmShm::drop_unclaimed(uint32_t uctx) {
    const std::lock_guard lock(mutex_);
    if (unclaimed_ != nullptr && unclaimed_->source.uctx == uctx) {
        abandon_locked(*std::exchange(unclaimed_, nullptr));
    }
}

void VmmShm::unmap(uint64_t shm_offset, uint64_t length) {
    const std::lock_guard lock(mutex_);
    unmaps_.push_back({.offset = shm_offset, .length = length, .generation = generation_});
    send_unmaps_locked();
}

// A guest that gives up thousands of mappings at once must lose none of these requests, and
// they must not fill the channel, where map() needs room.  The channel neither waits nor calls
// back from within.
void VmmShm::send_unmaps_locked() {
    while (!unmaps_.empty() && outstanding_unmaps_ < kMaxOutstandingUnmaps) {
        const Range range = unmaps_.front();
        unmaps_.pop_front();
        Result<void> sent = fail(ENOTCONN);
        if (channel_ != nullptr) {
            sent = channel_->unmap(
                VRDMA_SHM_ID, range.offset, range.length,
                [this, range](const Result<void>& result) { finish_unmap(range, result); });
        }
        if (sent) {
            ++outstanding_unmaps_;
            // The VMM serves requests in order, so the range can be given out again as
            // soon as the request is on its way.
            allocator_.free(range.offset, range.length);
        } else {
            // The range stays out of use, as the guest still sees what is mapped there.
            log_unmap_failure_locked(range, sent.error());
        }
    }
    changed_.notify_all();
}

void VmmShm::finish_unmap(const Range& range, const Result<void>& result) {
    const std::lock_guard lock(mutex_);
    --outstanding_unmaps_;
    if (!result) {
        log_unmap_failure_locked(range, result.error());
    }
    send_unmaps_locked();
}

void VmmShm::log_unmap_failure_locked(const Range& range, Errno error) {
    // A VMM that goes takes the shared memory region with it, and one that was reset may have
    // nothing there any more.
    if (error != Errno{ECONNRESET} && error != Errno{ENOTCONN} && range.generation == generation_) {
        log_.warn("{}: the VMM could not unmap {} bytes at shared memory offset {:#x}: {}", guest_,
                  range.length, range.offset, to_string(error));
    }
}

void VmmShm::set_channel(std::shared_ptr<vhost::BackendRequests> channel) {
    const std::lock_guard lock(mutex_);
    channel_ = std::move(channel);
}

Result<void> VmmShm::set_size(uint64_t size) {
    constexpr uint64_t kPage = VRDMA_SHM_PAGE_SIZE;
    size = size / kPage * kPage;
    const std::lock_guard lock(mutex_);
    if (size == allocator_.size()) {
        return {};
    }
    // A range in use would later be given back to an allocator that never gave it out.
    if (allocator_.used() != 0) {
        return fail(EBUSY);
    }
    allocator_ = ShmAllocator(size);
    return {};
}

void VmmShm::cancel(Cancel reason) {
    const std::lock_guard lock(mutex_);
    cancelled_ |= static_cast<unsigned>(reason);
    changed_.notify_all();
}

void VmmShm::resume(Cancel reason) {
    const std::lock_guard lock(mutex_);
    cancelled_ &= ~static_cast<unsigned>(reason);
}

void VmmShm::withdraw_maps() {
    std::shared_ptr<vhost::BackendRequests> channel;
    {
        const std::lock_guard lock(mutex_);
        channel = channel_;
    }
    if (channel != nullptr) {
        channel->withdraw_maps();
    }
}

void VmmShm::clear() {
    const std::lock_guard lock(mutex_);
    allocator_ = ShmAllocator(allocator_.size());
    unmaps_.clear();
    ++generation_;
    unclaimed_ = nullptr;
    for (const auto& pending : under_way_) {
        allocator_.take(pending->range.offset, pending->range.length);
    }
    changed_.notify_all();
}

uint64_t VmmShm::size() const {
    const std::lock_guard lock(mutex_);
    return allocator_.size();
}

uint64_t VmmShm::used() const {
    const std::lock_guard lock(mutex_);
    return allocator_.used();
}

}  // namespace vrdma::device
