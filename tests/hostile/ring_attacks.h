// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "hostile/knowledge.h"

namespace vrdma::hostile {

// The RNIC may look at the same moment: a guest's stores to a ring are whole words.
inline void store(std::byte* at, uint32_t value) {
    std::atomic_ref(*reinterpret_cast<uint32_t*>(at)).store(value, std::memory_order_relaxed);
}

// Rings and doorbells that are overwritten while the RNIC reads them.
class RingAttacks {
  public:
    explicit RingAttacks(Knowledge& known)
        : known_(known), verbs_(known.verbs), choices_(known.choices) {}

    void spoil_ring();
    void storm_doorbells();

  private:
    Knowledge& known_;
    GuestVerbs& verbs_;
    Choices& choices_;
};

}  // namespace vrdma::hostile
