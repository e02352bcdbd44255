// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <fcntl.h>

#include <cstdint>
#include <memory>

#include "memory/guest_memory.h"

namespace vrdma::test {

inline constexpr uint64_t kRamPage = 4096;

struct RamOptions {
    uint64_t start = 0;  // guest-physical
    uint64_t size = 16 * kRamPage;
    uint64_t vmm_start = 0;
    bool backed = true;             // the region knows its file
    uint64_t page_size = kRamPage;  // of the file, as the region tells it
    int file_flags = O_RDWR;        // of the file, as the region has it open
};

// A region of guest RAM in a file, in which every page of 4096 bytes begins with its number.
// Throws std::runtime_error when there is none to be had.
std::shared_ptr<const memory::GuestRegion> make_guest_ram(const RamOptions& options = {});

}  // namespace vrdma::test
