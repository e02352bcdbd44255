// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "memory/guest_memory.h"

namespace vrdma::embedded {

// A range of guest-physical memory.
struct GuestRun {
    uint64_t address = 0;
    uint64_t length = 0;  // bytes
};

// Adds the runs of guest memory that the `length` bytes at `data` are, of which each lies in one of
// `regions`. False: some of the bytes are in none.
bool append_runs(std::span<const std::shared_ptr<const memory::GuestRegion>> regions,
                 const std::byte* data, uint64_t length, std::vector<GuestRun>& runs);

}  // namespace vrdma::embedded
