// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

namespace vrdma::daemon {

// How many bytes the kernel lets this process pin, which is what guests can register with a
// host RNIC all together; none: as many as there are.  Raises RLIMIT_MEMLOCK as far as it may.
std::optional<uint64_t> raise_locked_memory_limit();

}  // namespace vrdma::daemon
