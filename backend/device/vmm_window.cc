// SPDX-License-Identifier: Apache-2.0
#include "device/vmm_window.h"

#include <vrdma_protocol.h>

#include <algorithm>

namespace vrdma::device {

VmmWindow::VmmWindow(std::string guest, std::shared_ptr<spdlog::logger> logger)
    : guest_(std::move(guest)), log_(std::move(logger)) {}

Result<uint64_t> VmmWindow::map(int fd, uint64_t fd_offset, uint64_t length) {
    auto pending = std::make_shared<Pending>();
    std::unique_lock lock(mutex_);
    if (cancelled_) {
        return fail(ECANCELED);
    }
    if (channel_ == nullptr) {
        log_.warn("{}: the VMM gave no channel to map through; the verb gets {}", guest_,
                  to_string(Errno{ENOTCONN}));
        return fail(ENOTCONN);
    }
    const auto offset = allocator_.allocate(length);
    if (!offset) {
        log_.warn(
            "{}: limit reached: the window of {} bytes has no room for {} more, {} are in "
            "use; raise shm-size of the guest's vrdma-pci device; the verb gets {}",
            guest_, allocator_.size(), length, allocator_.used(), to_string(offset.error()));
        return fail(offset.error());
    }
    const uint64_t generation = generation_;
    const auto channel = channel_;
    lock.unlock();

    // Without the lock: a channel that breaks answers from within.
    const vhost::MapRequest request{.region = VRDMA_SHM_ID_WINDOW,
                                    .fd = fd,
                                    .fd_offset = fd_offset,
                                    .region_offset = *offset,
                                    .length = length,
                                    .writable = true};
    auto sent = channel->map(
        request, [this, pending, generation, offset = *offset, length](Result<void> result) {
            finish(pending, generation, offset, length, std::move(result));
        });
    lock.lock();
    if (!sent) {
        if (generation == generation_) {
            allocator_.free(*offset, length);
        }
        return fail(sent.error());
    }
    changed_.wait(lock, [&] { return pending->done || cancelled_; });
    if (!pending->done) {
        pending->abandoned = true;
        return fail(ECANCELED);
    }
    if (!pending->result) {
        log_.warn("{}: the VMM could not map {} bytes at window offset {:#x}: {}", guest_, length,
                  *offset, to_string(pending->result.error()));
        // A VMM that cannot map is, to the guest, a device without memory.
        return fail(ENOMEM);
    }
    return *offset;
}

void VmmWindow::finish(const std::shared_ptr<Pending>& pending, uint64_t generation,
                       uint64_t offset, uint64_t length, Result<void> result) {
    bool undo = false;
    {
        const std::lock_guard lock(mutex_);
        pending->done = true;
        pending->result = std::move(result);
        if (generation == generation_) {
            if (!pending->result) {
                allocator_.free(offset, length);
            } else {
                undo = pending->abandoned;
            }
        } else if (pending->result) {
            pending->result = fail(ECONNRESET);
        }
        changed_.notify_all();
    }
    if (undo) {
        unmap(offset, length);
    }
}

void VmmWindow::unmap(uint64_t window_offset, uint64_t length) {
    std::unique_lock lock(mutex_);
    const uint64_t generation = generation_;
    const auto channel = channel_;
    lock.unlock();
    // The VMM serves requests in order, so the range can be given out again as soon as
    // the request is on its way.  When it cannot be sent, the range stays out of use.
    if (channel == nullptr ||
        !channel->unmap(VRDMA_SHM_ID_WINDOW, window_offset, length, [](Result<void>) {})) {
        return;
    }
    lock.lock();
    if (generation == generation_) {
        allocator_.free(window_offset, length);
    }
}

void VmmWindow::set_channel(std::shared_ptr<vhost::BackChannel> channel) {
    const std::lock_guard lock(mutex_);
    channel_ = std::move(channel);
}

void VmmWindow::set_size(uint64_t size) {
    constexpr uint64_t kPage = VRDMA_WINDOW_PAGE_SIZE;
    size = size / kPage * kPage;
    const std::lock_guard lock(mutex_);
    if (size != allocator_.size()) {
        allocator_ = WindowAllocator(size);
        ++generation_;
    }
}

void VmmWindow::cancel() {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    changed_.notify_all();
}

void VmmWindow::resume() {
    const std::lock_guard lock(mutex_);
    cancelled_ = false;
}

void VmmWindow::clear() {
    const std::lock_guard lock(mutex_);
    allocator_ = WindowAllocator(allocator_.size());
    ++generation_;
}

uint64_t VmmWindow::size() const {
    const std::lock_guard lock(mutex_);
    return allocator_.size();
}

uint64_t VmmWindow::used() const {
    const std::lock_guard lock(mutex_);
    return allocator_.used();
}

}  // namespace vrdma::device
