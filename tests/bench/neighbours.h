// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The attacks of neighbours.cc: what a guest does beside an honest one on the embedded RNIC.
#pragma once

#include <memory>
#include <span>

#include "rnic/embedded/embedded_rnic.h"

namespace vrdma::embedded::bench {

// What a neighbour does, from construction to destruction.
class Attack {
  public:
    virtual ~Attack() = default;
    // Has the neighbour's queues and doorbells say again what the attack is made of. Called before
    // each step of the engine: the neighbour's own CPUs are as quick as the RNIC.
    virtual void renew() = 0;
};

// What is measured beside an attack.
enum class Figures {
    kWorker,  // the worker's time for the honest guest's messages
    kShare,   // the same, of a neighbour that only does what others do as well
    kPauses,  // the time that the neighbour's verbs leave to the workers; renew() is a verb
};

struct AttackKind {
    const char* name;
    Figures figures;
    std::unique_ptr<Attack> (*make)(EmbeddedRnic& rnic);
};

// All attacks. A new one is a class in neighbour_attacks.cc and a row in its table.
std::span<const AttackKind> attack_kinds();

}  // namespace vrdma::embedded::bench
