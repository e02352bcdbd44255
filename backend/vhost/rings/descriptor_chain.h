// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "memory/guest_memory.h"
#include "result.h"

namespace vrdma::vhost {

// One request of the driver: the buffers of one descriptor chain, checked and
// translated.  Move-only, and must be given back with Virtqueue::push() or unpop().
class DescriptorChain {
  public:
    DescriptorChain(DescriptorChain&& other) noexcept = default;
    DescriptorChain& operator=(DescriptorChain&& other) noexcept {
        assert(memory_ == nullptr && "a descriptor chain was dropped");
        memory_ = std::move(other.memory_);
        segments_ = std::move(other.segments_);
        readable_count_ = other.readable_count_;
        readable_size_ = other.readable_size_;
        writable_size_ = other.writable_size_;
        id_ = other.id_;
        slots_ = other.slots_;
        cursor_ = other.cursor_;
        sequence_ = other.sequence_;
        return *this;
    }
    DescriptorChain(const DescriptorChain&) = delete;
    DescriptorChain& operator=(const DescriptorChain&) = delete;
    ~DescriptorChain() { assert(memory_ == nullptr && "a descriptor chain was dropped"); }

    // guest-controlled: what the device reads, then what it writes.  Mapped for as long
    // as the chain is held.
    std::span<const memory::HostRange> readable() const {
        return std::span(segments_).first(readable_count_);
    }
    std::span<const memory::HostRange> writable() const {
        return std::span(segments_).subspan(readable_count_);
    }

    // Sums of the segments' sizes; at most UINT32_MAX together.
    size_t readable_size() const { return readable_size_; }
    size_t writable_size() const { return writable_size_; }

    // Copies `out.size()` bytes from `offset` of the readable part, each read once.
    // EINVAL when the part is shorter; nothing is copied then.
    Result<void> read(size_t offset, std::span<std::byte> out) const;

    // Copies `in` to `offset` of the writable part.  EINVAL when the part is shorter; nothing is
    // copied then.
    Result<void> write(size_t offset, std::span<const std::byte> in);

    // The driver's name for the chain (split: head index, packed: buffer id).
    uint16_t id() const { return id_; }

  private:
    friend class Virtqueue;
    DescriptorChain() = default;

    std::shared_ptr<const memory::GuestMemory> memory_;  // null once the chain was given back
    std::vector<memory::HostRange> segments_;
    size_t readable_count_ = 0;
    size_t readable_size_ = 0;
    size_t writable_size_ = 0;
    uint16_t id_ = 0;
    uint16_t slots_ = 0;     // descriptors of the ring that it occupies (packed)
    uint16_t cursor_ = 0;    // the ring's cursor before the chain was taken
    uint64_t sequence_ = 0;  // number of chains taken from the ring before this one
};

}  // namespace vrdma::vhost
