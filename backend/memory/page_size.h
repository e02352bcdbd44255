// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <unistd.h>

#include <cstdint>

namespace vrdma::memory {

// The size of a page of ordinary memory, in bytes.
inline uint64_t system_page_size() {
    static const auto kSize = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    return kSize;
}

}  // namespace vrdma::memory
