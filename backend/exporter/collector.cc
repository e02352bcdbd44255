// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "exporter/collector.h"

#include <exception>
#include <string>

#include "exporter/metrics.h"
#include "vrdmactl/connection.h"

namespace vrdma::exporter {

std::vector<prometheus::MetricFamily> Collector::Collect() const {
    std::vector<prometheus::MetricFamily> families;
    std::string obstacle;
    try {
        vrdmactl::Connection connection(socket_);
        const nlohmann::json version = connection.call("version");
        families = metrics_of(version, connection.call("stats"));
    } catch (const std::exception& error) {
        obstacle = error.what();
    }
    tell(obstacle);
    prometheus::MetricFamily up;
    up.name = "vrdma_up";
    up.help = "Whether vrdmad answers on its control socket.";
    up.type = prometheus::MetricType::Gauge;
    up.metric.emplace_back();
    up.metric.back().gauge.value = obstacle.empty() ? 1 : 0;
    families.insert(families.begin(), std::move(up));
    return families;
}

// The log gets no line for each scrape.
void Collector::tell(const std::string& obstacle) const {
    const std::lock_guard lock(mutex_);
    if (obstacle == obstacle_) {
        return;
    }
    obstacle_ = obstacle;
    say_(obstacle.empty() ? "vrdmad answers at " + socket_ : "vrdmad does not answer: " + obstacle);
}

}  // namespace vrdma::exporter
