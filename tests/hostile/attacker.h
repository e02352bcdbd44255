// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>

#include "hostile/choices.h"
#include "hostile/command_attacks.h"
#include "hostile/knowledge.h"
#include "hostile/ring_attacks.h"
#include "hostile/work_attacks.h"

namespace vrdma::hostile {

// A guest that does to its device, step by step, what no driver does: commands that are right,
// nearly right and garbage; rings and doorbells that are overwritten while the RNIC reads them.
// It only writes to memory that is its own, and needs nothing to succeed.
class Attacker {
  public:
    Attacker(GuestDevice& device, Choices& choices) : known_(device, choices) {}

    void step();

    // A step that touches the shared memory region alone, for a guest that has no memory any more.
    void step_without_memory();

    // Forgets all objects, as after a reset of the device.
    void forget() { known_.forget(); }

    // Queue pairs of other guests, to aim at.
    void aim_at(uint32_t qp_number, const rnic::Gid& gid) { known_.aim_at(qp_number, gid); }

  private:
    Knowledge known_;
    CommandAttacks commands_{known_};
    WorkAttacks work_{known_};
    RingAttacks rings_{known_};
};

}  // namespace vrdma::hostile
