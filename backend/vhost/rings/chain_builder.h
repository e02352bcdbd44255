// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstddef>
#include <cstdint>
#include <tl/expected.hpp>
#include <vector>

#include "memory/guest_memory.h"

namespace vrdma::vhost {

// Says for the log what the driver did that the specification forbids.
struct RingError {
    const char* what;
};

template <typename T>
using RingResult = tl::expected<T, RingError>;

inline tl::unexpected<RingError> ring_error(const char* what) {
    return tl::unexpected<RingError>(RingError{what});
}

// Collects the buffers of one chain while a ring walks its descriptors.
class ChainBuilder {
  public:
    // The storage of `segments` is reused.  At most `max_descriptors` buffers are accepted.
    ChainBuilder(const memory::GuestMemory& memory, uint32_t max_descriptors,
                 std::vector<memory::HostRange> segments);

    // Adds one descriptor's buffer.  All values are guest-controlled.
    RingResult<void> add(uint64_t address, uint32_t length, bool writable);

    // Finds bytes at a guest address that must be in one piece of memory (indirect tables).
    RingResult<memory::HostRange> translate(uint64_t address, uint32_t length) const;

    std::vector<memory::HostRange> take_segments() { return std::move(segments_); }
    size_t readable_count() const { return readable_count_; }
    uint64_t readable_size() const { return readable_size_; }
    uint64_t writable_size() const { return writable_size_; }

  private:
    RingResult<void> add_pieces(uint64_t address, uint64_t length);

    const memory::GuestMemory& memory_;
    const uint32_t max_descriptors_;
    std::vector<memory::HostRange> segments_;
    uint32_t descriptors_ = 0;
    size_t readable_count_ = 0;
    uint64_t readable_size_ = 0;
    uint64_t writable_size_ = 0;
};

}  // namespace vrdma::vhost
