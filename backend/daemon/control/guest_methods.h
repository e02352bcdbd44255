// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The methods of the control socket by which guests come and go.
#pragma once

#include <nlohmann/json.hpp>

#include "control/method.h"
#include "daemon/control/control_methods.h"

namespace vrdma::daemon {

// Each is a method of docs/control.md; `parameters` are as the list of methods says.
control::Answer add_guest(const Controlled& controlled, const nlohmann::json& parameters);
control::Answer remove_guest(const Controlled& controlled, const nlohmann::json& parameters);
control::Answer drain_guest(const Controlled& controlled, const nlohmann::json& parameters);

// The error for a name that no guest has.
control::Answer unknown_guest(const Server& server, const std::string& name);

}  // namespace vrdma::daemon
