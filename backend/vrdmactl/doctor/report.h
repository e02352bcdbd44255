// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "vrdmactl/doctor/finding.h"

namespace vrdma::doctor {

// A line for each finding, and below it the command that mends it.
std::string to_text(const Findings& findings);

// {"findings": [{"what", "level", "says", "mend"}, ...]}; `mend` is null where nothing is to mend.
nlohmann::json to_json(const Findings& findings);

size_t count(const Findings& findings, Level level);

}  // namespace vrdma::doctor
