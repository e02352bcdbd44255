// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <atomic>

namespace vrdma::vhost {

// Orders all earlier accesses before all later ones, also a store before a load.
// ThreadSanitizer does not model fences; no data is handed over by these alone, so that
// it misses nothing.
inline void full_barrier() {
#pragma GCC diagnostic push
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wtsan"
#endif
    std::atomic_thread_fence(std::memory_order_seq_cst);
#pragma GCC diagnostic pop
}

}  // namespace vrdma::vhost
