// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <prometheus/metric_family.h>

#include <nlohmann/json.hpp>
#include <vector>

namespace vrdma::exporter {

// The metrics of a daemon, by its answers to `version` and `stats` (docs/control.md).  What an
// older daemon does not say is left out.  Throws nlohmann::json::exception when something has
// another type than the document says.
std::vector<prometheus::MetricFamily> metrics_of(const nlohmann::json& version,
                                                 const nlohmann::json& stats);

}  // namespace vrdma::exporter
