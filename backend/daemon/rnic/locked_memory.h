// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <optional>

namespace vrdma::daemon {

// Raises RLIMIT_MEMLOCK as far as this process may, and returns how many bytes the kernel then
// lets it pin: all guests together can register so many with a host RNIC.  No value when the
// kernel sets no limit.
std::optional<uint64_t> raise_locked_memory_limit();

}  // namespace vrdma::daemon
