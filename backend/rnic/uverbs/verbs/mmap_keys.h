// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The offsets for mmap() that the driver has given one user context.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <unordered_map>

#include "result.h"
#include "rnic/uverbs/vendors/vendor_table.h"
#include "state/uverbs.pb.h"

namespace vrdma::uverbs {

class MmapKeys {
  public:
    // As many offsets are remembered.  A guest that makes more queues before it maps the memory of
    // the first cannot map that any more.
    static constexpr size_t kMax = 65536;

    // Remembers the offsets in the answer to a verb (enum vrdma_opcode).
    void remember(const VendorEntry& vendor, uint16_t opcode, std::span<const std::byte> answer);

    // How the guest has to map the memory at an offset.  Nothing for an offset that the context may
    // not map.
    std::optional<uint32_t> caching(const VendorEntry& vendor, uint64_t offset) const;

    void save(state::UverbsContext& context) const;
    // What save() wrote.  EINVAL for more than kMax offsets, and for one that is no page's.
    Result<void> restore(const state::UverbsContext& saved);

  private:
    void remember(uint64_t offset, uint32_t caching);

    std::unordered_map<uint64_t, uint32_t> caching_;  // by offset
    std::deque<uint64_t> oldest_first_;
};

}  // namespace vrdma::uverbs
