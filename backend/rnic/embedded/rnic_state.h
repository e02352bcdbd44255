// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <spdlog/spdlog.h>

#include <memory>

#include "rnic/embedded/embedded_rnic.h"
#include "rnic/embedded/engine.h"
#include "rnic/embedded/verbs/quota.h"

namespace vrdma::embedded {

// The state that all ports of one RNIC share. Each port keeps it alive.
struct RnicState {
    RnicState(const EmbeddedConfig& config, std::shared_ptr<spdlog::logger> log)
        : limits(config.limits), logger(std::move(log)), engine(config) {}

    const EmbeddedLimits limits;
    const std::shared_ptr<spdlog::logger> logger;
    Usage usage;
    Engine engine;
};

}  // namespace vrdma::embedded
