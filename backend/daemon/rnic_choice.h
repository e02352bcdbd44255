// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <spdlog/logger.h>

#include <memory>

#include "daemon/config.h"
#include "rnic/rnic.h"

namespace vrdma::daemon {

// Throws ConfigError when `config.rnic` names no RNIC that this build can use; what()
// lists those there are.
void check_rnic(const Config& config);

// The RNIC that the configuration names, ready for ports.  Throws as check_rnic().
std::unique_ptr<rnic::Rnic> open_rnic(const Config& config, std::shared_ptr<spdlog::logger> logger);

}  // namespace vrdma::daemon
