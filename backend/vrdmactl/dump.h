// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <nlohmann/json.hpp>

#include "vrdmactl/connection.h"

namespace vrdma::vrdmactl {

// All that a report of a fault needs of a running daemon, by methods that readers may call, and of
// its process and the kernel (/proc/PID/status, uname(2)).  Throws Failure.
nlohmann::json collect_dump(Connection& connection);

}  // namespace vrdma::vrdmactl
