// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <spdlog/logger.h>

#include <memory>

#include "daemon/config.h"
#include "rnic/rnic.h"

namespace vrdma::daemon {

// Whether the configuration names the RNIC that lives in this process.
bool is_embedded(const Config& config);

// The RNIC that the configuration names, ready for ports.  Throws std::runtime_error
// (ConfigError among them) or std::invalid_argument when it cannot be had; what() says why
// and, for an unknown name, which RNICs there are.  `files_travel` says whether a successor of this
// daemon can use the files that it opens (UverbsConfig).
std::unique_ptr<rnic::Rnic> open_rnic(const Config& config, std::shared_ptr<spdlog::logger> logger,
                                      bool files_travel = true);

// What the RNIC is told of a virtual machine of the configuration.
rnic::GuestAdmission admission_of(const Config& config, const VmConfig& vm);

// Throws ConfigError, naming the virtual machine, for limits that the RNIC cannot keep.
void check_limits(const Config& config);

// The same, and for address rules that the RNIC, whose attributes these are, cannot keep.
void check_machines(const Config& config, const rnic::DeviceAttributes& attributes);

}  // namespace vrdma::daemon
