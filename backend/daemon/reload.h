// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <string>
#include <vector>

#include "daemon/config.h"

namespace vrdma::daemon {

// What `wanted` has that a daemon with `running` cannot take over while it runs, a sentence each,
// which says what the daemon does instead.
std::vector<std::string> unchangeable(const Config& running, const Config& wanted);

}  // namespace vrdma::daemon
