// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/rings/ring_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <limits>
#include <utility>

namespace vrdma::embedded {

RingRange::RingRange(RingRange&& other) noexcept
    : memory_(std::move(other.memory_)),
      data_(std::exchange(other.data_, nullptr)),
      offset_(std::exchange(other.offset_, 0)),
      size_(std::exchange(other.size_, 0)) {}

RingRange& RingRange::operator=(RingRange&& other) noexcept {
    if (this != &other) {
        release();
        memory_ = std::move(other.memory_);
        data_ = std::exchange(other.data_, nullptr);
        offset_ = std::exchange(other.offset_, 0);
        size_ = std::exchange(other.size_, 0);
    }
    return *this;
}

RingRange::~RingRange() {
    release();
}

void RingRange::release() {
    if (memory_) {
        memory_->release(offset_, size_);
    }
    memory_.reset();
}

Result<std::shared_ptr<RingMemory>> RingMemory::create(uint64_t capacity) {
    FileDescriptor file(::memfd_create("vrdma-rings", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!file) {
        return fail(errno);
    }
    // Another process that gets the descriptor cannot pull the memory from under this mapping.
    if (::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK) != 0) {
        return fail(errno);
    }
    auto mapping = memory::Mapping::map(file.get(), 0, size_of(capacity));
    if (!mapping) {
        return fail(mapping.error());
    }
    return std::shared_ptr<RingMemory>(new RingMemory(std::move(file), std::move(*mapping)));
}

Result<RingRange> RingMemory::allocate(uint64_t size) {
    if (size == 0 || size > mapping_.size()) {
        return fail(ENOMEM);
    }
    size = size_of(size);
    // First fit: the number of rings of one context is small beside the cost of a verb.
    uint64_t offset = 0;
    for (const auto& [start, length] : allocated_) {
        if (start - offset >= size) {
            break;
        }
        offset = start + length;
    }
    if (size > mapping_.size() - offset) {
        return fail(ENOMEM);
    }
    if (offset + size > file_size_) {
        if (::ftruncate(file_.get(), static_cast<off_t>(offset + size)) != 0) {
            return fail(errno);
        }
        file_size_ = offset + size;
    }
    allocated_.emplace(offset, size);
    used_ += size;
    RingRange range;
    range.memory_ = shared_from_this();
    range.data_ = mapping_.data() + offset;
    range.offset_ = offset;
    range.size_ = size;
    return range;
}

bool RingMemory::covers(uint64_t offset, uint64_t length) const {
    auto it = allocated_.upper_bound(offset);
    if (it == allocated_.begin()) {
        return false;
    }
    --it;
    const uint64_t skipped = offset - it->first;
    return length != 0 && skipped < it->second && length <= it->second - skipped;
}

void RingMemory::release(uint64_t offset, uint64_t size) {
    // The hole gives the pages back and makes the next ring there start as zeros.
    ::fallocate(file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                static_cast<off_t>(size));
    allocated_.erase(offset);
    used_ -= size;
}

}  // namespace vrdma::embedded
