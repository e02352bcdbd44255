// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <prometheus/collectable.h>

#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace vrdma::exporter {

// Asks a daemon for its figures each time that somebody wants metrics.  Any thread.
class Collector : public prometheus::Collectable {
  public:
    // `socket` is the daemon's control socket.  `say` hears a sentence when the daemon stops
    // answering, and when it answers again.
    Collector(std::string socket, std::function<void(const std::string&)> say)
        : socket_(std::move(socket)), say_(std::move(say)) {}

    // The metrics.  Without the daemon there is one: that it is not up.
    std::vector<prometheus::MetricFamily> Collect() const override;

  private:
    void tell(const std::string& obstacle) const;

    const std::string socket_;
    const std::function<void(const std::string&)> say_;
    mutable std::mutex mutex_;      // guards obstacle_
    mutable std::string obstacle_;  // why the daemon did not answer last; empty if it did
};

}  // namespace vrdma::exporter
