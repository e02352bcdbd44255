// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>

namespace vrdma::test {

// The size of a page in bytes, of a guest's and of the shared memory region (VRDMA_SHM_PAGE_SIZE).
inline constexpr uint64_t kPage = 4096;

}  // namespace vrdma::test
