// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/rings/ring_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

namespace vrdma::embedded {
namespace {

// Bytes of the first part: room for a few dozen rings of common sizes.
constexpr uint64_t kFirstPart = 2 << 20;

}  // namespace

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
    return std::shared_ptr<RingMemory>(new RingMemory(std::move(file), size_of(capacity)));
}

// The file is one that create() made: nobody can make it shorter.
Result<std::shared_ptr<RingMemory>> RingMemory::restore(FileDescriptor file, uint64_t size,
                                                        uint64_t capacity) {
    struct stat now {};
    if (::fstat(file.get(), &now) != 0) {
        return fail(errno);
    }
    const int seals = ::fcntl(file.get(), F_GET_SEALS);
    if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || size % kPage != 0 || size > capacity ||
        static_cast<uint64_t>(now.st_size) != size) {
        return fail(EINVAL);
    }
    std::shared_ptr<RingMemory> memory(new RingMemory(std::move(file), size_of(capacity)));
    memory->file_size_ = size;
    if (size != 0) {
        if (auto added = memory->add_part(size); !added) {
            return fail(added.error());
        }
    }
    return memory;
}

// Maps a part that has room for `size` bytes.
Result<void> RingMemory::add_part(uint64_t size) {
    const uint64_t left = capacity_ - mapped();
    if (size > left) {
        return fail(ENOMEM);
    }
    const uint64_t wanted = std::min(std::max({kFirstPart, mapped(), size}), left);
    auto mapping = memory::Mapping::map(file_.get(), mapped(), wanted);
    if (!mapping) {
        return fail(mapping.error());
    }
    parts_.push_back({.offset = mapped(), .mapping = std::move(*mapping)});
    return {};
}

// The first place in the part that has `size` bytes free.
std::optional<uint64_t> RingMemory::find_room(const Part& part, uint64_t size) const {
    uint64_t offset = part.offset;
    for (auto it = allocated_.lower_bound(part.offset);
         it != allocated_.end() && it->first < part.end(); ++it) {
        if (it->first - offset >= size) {
            break;
        }
        offset = it->first + it->second;
    }
    return size <= part.end() - offset ? std::optional(offset) : std::nullopt;
}

Result<RingRange> RingMemory::allocate(uint64_t size) {
    if (size == 0 || size > capacity_) {
        return fail(ENOMEM);
    }
    size = size_of(size);
    // First fit: the number of rings of one context is small beside the cost of a verb.  A ring
    // lies in one part.
    std::optional<uint64_t> room;
    auto part = parts_.begin();
    while (part != parts_.end() && !(room = find_room(*part, size))) {
        ++part;
    }
    if (!room) {
        if (auto added = add_part(size); !added) {
            return fail(added.error());
        }
        part = std::prev(parts_.end());
        room = part->offset;
    }
    const uint64_t offset = *room;
    if (offset + size > file_size_) {
        if (::ftruncate(file_.get(), static_cast<off_t>(offset + size)) != 0) {
            return fail(errno);
        }
        file_size_ = offset + size;
    }
    return take(*part, offset, size);
}

RingRange RingMemory::take(const Part& part, uint64_t offset, uint64_t size) {
    allocated_.emplace(offset, size);
    used_ += size;
    RingRange range;
    range.memory_ = shared_from_this();
    range.data_ = part.mapping.data() + (offset - part.offset);
    range.offset_ = offset;
    range.size_ = size;
    return range;
}

Result<RingRange> RingMemory::adopt(uint64_t offset, uint64_t size) {
    if (size == 0 || size > file_size_ || offset % kPage != 0) {
        return fail(EINVAL);
    }
    size = size_of(size);
    if (offset > file_size_ - size) {
        return fail(EINVAL);
    }
    const auto next = allocated_.lower_bound(offset);
    const bool free =
        (next == allocated_.end() || next->first - offset >= size) &&
        (next == allocated_.begin() || std::prev(next)->first + std::prev(next)->second <= offset);
    if (!free) {
        return fail(EEXIST);
    }
    // The whole file that was there is one part.
    const auto part = std::ranges::find_if(parts_, [offset, size](const Part& part) {
        return offset >= part.offset && offset + size <= part.end();
    });
    if (part == parts_.end()) {
        return fail(EINVAL);
    }
    return take(*part, offset, size);
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
