// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <chrono>

namespace vrdma::daemon {

// How long the daemon takes at most to end in order.  No VMM can make it last, but a system call of
// the host's that does not end can.
inline constexpr std::chrono::seconds kStopLimit{5};

// Ends the process by EXIT_FAILURE, with a line on standard error, unless it has ended by itself
// when `limit` is over.  The kernel then frees what the guests had.
void end_within(std::chrono::seconds limit);

}  // namespace vrdma::daemon
