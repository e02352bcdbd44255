// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "support/fake_memory.h"

namespace vrdma::hostile {

// A vrdma device as a guest has it.
class GuestDevice {
  public:
    virtual ~GuestDevice() = default;

    // Sends a request with `room` bytes for the answer, and returns the answer: empty when there
    // is none.
    virtual std::vector<std::byte> execute(std::span<const std::byte> request, size_t room) = 0;

    // The guest's view of the shared memory region.
    virtual std::span<std::byte> shm() = 0;

    virtual test::FakeMemory& memory() = 0;

    // Notifies the doorbell queue.
    virtual void kick_doorbells() = 0;
};

}  // namespace vrdma::hostile
