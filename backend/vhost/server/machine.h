// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <spdlog/logger.h>

#include <memory>

#include "vhost/protocol/memory_table.h"

namespace vrdma::vhost {

// What a virtual machine has from one connection of its VMM to the next.
struct Machine {
    std::shared_ptr<spdlog::logger> logger;  // limits the rate of lines
    std::shared_ptr<RegionMapper> memory;
};

}  // namespace vrdma::vhost
