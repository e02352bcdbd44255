// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <spdlog/logger.h>

#include <memory>

#include "daemon/config.h"
#include "rnic/rnic.h"
#include "rnic/uverbs/cm_writer/cm_writer.h"

namespace vrdma::daemon {

// Whether the configuration names the RNIC that lives in this process.
bool is_embedded(const Config& config);

// Which files of an RNIC of this host a successor of this daemon can use.
struct FilesThatTravel {
    bool uverbs = true;  // UverbsConfig::files_travel
    // Opens files of the connection manager that a successor can use; null: there are none.
    std::shared_ptr<const uverbs::CmWriter> cm_writer = nullptr;
};

// Starts the process that writes to those files.  Forks, and so belongs before this process's
// threads, and before it has anything that the other process shall not have.  Throws
// std::system_error.
std::shared_ptr<const uverbs::CmWriter> start_cm_writer(const Config& config);

// The RNIC that the configuration names, ready for ports.  Throws std::runtime_error
// (ConfigError among them) or std::invalid_argument when it cannot be had; what() says why
// and, for an unknown name, which RNICs there are.
std::unique_ptr<rnic::Rnic> open_rnic(const Config& config, std::shared_ptr<spdlog::logger> logger,
                                      FilesThatTravel travel = {});

// What the RNIC is told of a virtual machine of the configuration.
rnic::GuestAdmission admission_of(const Config& config, const VmConfig& vm);

// Throws ConfigError, naming the virtual machine, for limits that the RNIC cannot keep.
void check_limits(const Config& config);

// The same, and for address rules that the RNIC, whose attributes these are, cannot keep.
void check_machines(const Config& config, const rnic::DeviceAttributes& attributes);

}  // namespace vrdma::daemon
