// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/engine.h"

#include <algorithm>
#include <chrono>

namespace vrdma::embedded {
namespace {

class SteadyClock final : public Clock {
  public:
    uint64_t now_ns() override {
        return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                         std::chrono::steady_clock::now().time_since_epoch())
                                         .count());
    }
};

}  // namespace

Engine::Engine(const EmbeddedConfig& config)
    : clock_(config.clock ? config.clock : std::make_shared<SteadyClock>()),
      slices_(std::max(config.threads, 1u)) {
    for (size_t i = 0; i < slices_.size(); ++i) {
        workers_.push_back(std::make_unique<Worker>(gate_, *clock_, fabric_, atomics_, slices_, i));
    }
    if (config.threads == 0) {
        return;
    }
    for (const auto& worker : workers_) {
        worker->start(config.spin);
    }
}

Engine::~Engine() {
    for (const auto& worker : workers_) {
        worker->stop();
    }
}

Worker& Engine::least_busy_worker() {
    return **std::min_element(workers_.begin(), workers_.end(),
                              [](const auto& a, const auto& b) { return a->ports() < b->ports(); });
}

bool Engine::poll_once() {
    bool busy = false;
    for (const auto& worker : workers_) {
        busy |= worker->poll_once();
    }
    return busy;
}

}  // namespace vrdma::embedded
