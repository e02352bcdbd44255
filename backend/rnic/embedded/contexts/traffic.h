// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <vrdma_counters.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "rnic/embedded/rings/rxe_abi.h"
#include "rnic/embedded/rings/work_request.h"
#include "rnic/rnic.h"

namespace vrdma::embedded {

// What one side of a queue pair has carried out, by opcode. One worker at a time counts; it is read
// in a Pause, so that counting needs no atomic operation.
class Traffic {
  public:
    void count(WrOpcode opcode, uint64_t length) {
        Entry& entry = entries_[std::min<size_t>(static_cast<size_t>(opcode), kOthers)];
        ++entry.messages;
        entry.bytes += length;
    }
    uint64_t messages(WrOpcode opcode) const { return at(opcode).messages; }
    uint64_t bytes(WrOpcode opcode) const { return at(opcode).bytes; }

  private:
    // All opcodes that move data are below this one.
    static constexpr size_t kOthers = 10;
    struct Entry {
        uint64_t messages = 0;
        uint64_t bytes = 0;
    };
    const Entry& at(WrOpcode opcode) const { return entries_[static_cast<size_t>(opcode)]; }
    std::array<Entry, kOthers + 1> entries_{};
};

// Messages that a queue pair has received, and their bytes; guarded by the lock of its receiver.
struct Received {
    uint64_t messages = 0;
    uint64_t bytes = 0;
};

// What goes wrong, for a whole port: seldom, and counted by any worker.
class ErrorCounts {
  public:
    void count(vrdma_counter counter) { counts_[counter].fetch_add(1, std::memory_order_relaxed); }
    uint64_t at(size_t counter) const { return counts_[counter].load(std::memory_order_relaxed); }

  private:
    std::array<std::atomic<uint64_t>, VRDMA_COUNTER_COUNT> counts_{};
};

// Adds what a queue pair has requested itself, what it has answered, and what it has received.
void add_traffic(rnic::Counters& counters, const Traffic& requested, const Traffic& answered,
                 const Received& received);

}  // namespace vrdma::embedded
