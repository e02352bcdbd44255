// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "rnic/embedded/datapath/atomic_unit.h"
#include "rnic/embedded/datapath/worker.h"
#include "rnic/embedded/embedded_rnic.h"
#include "rnic/embedded/fabric/fabric.h"
#include "rnic/embedded/sync/gate.h"
#include "rnic/embedded/sync/slice_counter.h"

namespace vrdma::embedded {

// The data path of all ports: the workers and what they share.
class Engine {
  public:
    // Throws std::system_error when there are no file descriptors or threads left.
    explicit Engine(const EmbeddedConfig& config);
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    Gate& gate() { return gate_; }
    Clock& clock() { return *clock_; }
    std::chrono::nanoseconds paused() const { return gate_.paused(); }
    uint64_t pauses() const { return gate_.pauses(); }
    Fabric& fabric() { return fabric_; }

    // The home of a new port: the worker that has the fewest.
    Worker& least_busy_worker();

    // See EmbeddedRnic.
    bool poll_once();

  private:
    const std::shared_ptr<Clock> clock_;
    Gate gate_;
    Fabric fabric_;
    AtomicUnit atomics_;
    std::vector<SliceCounter> slices_;              // by worker
    std::vector<std::unique_ptr<Worker>> workers_;  // at least one
};

}  // namespace vrdma::embedded
