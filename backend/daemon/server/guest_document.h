// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What the operator is told of a guest, as JSON: for the status socket and the control socket.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "daemon/config.h"
#include "device/virtual_device.h"
#include "rnic/rnic.h"

namespace vrdma::daemon {

// The figures of one guest.
nlohmann::json guest_document(const std::string& name, const std::string& socket,
                              const device::VirtualDevice::Status& status);

// Each limit by the configuration's key.
nlohmann::json limits_document(const std::vector<device::VirtualDevice::LimitStatus>& limits);

// What a guest was configured with, but for its limits.
nlohmann::json configuration_document(const VmConfig& vm);

// How many objects of each kind the RNIC has.
nlohmann::json objects_document(const std::vector<device::ListedKind>& kinds);

nlohmann::json rnic_objects_document(const rnic::Rnic& rnic);

// Adds the older names of some keys, which the status document still has.
void add_old_names(nlohmann::json& guest);

}  // namespace vrdma::daemon
