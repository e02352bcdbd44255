// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "hostile/attacker.h"
#include "hostile/choices.h"
#include "rnic/rnic.h"

namespace vrdma::hostile {

// A VMM that its guest has taken over, again and again: each session connects, attacks as guest
// and as VMM, and goes away in the middle of something.
class HostileMachine {
  public:
    struct Target {
        uint32_t qp_number;
        rnic::Gid gid;
    };

    HostileMachine(std::string socket, std::vector<Target> targets, uint64_t seed)
        : socket_(std::move(socket)), targets_(std::move(targets)), choices_(seed) {}

    // One connection, until it is over or `stop` is true.
    void session(const std::atomic<bool>& stop);

    uint64_t sessions() const { return sessions_; }
    uint64_t attacks() const { return attacks_; }

  private:
    void attack(const std::atomic<bool>& stop);

    const std::string socket_;
    const std::vector<Target> targets_;
    RandomChoices choices_;
    uint64_t sessions_ = 0;
    uint64_t attacks_ = 0;
};

}  // namespace vrdma::hostile
