// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <vrdma_counters.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "rnic/embedded/rings/rxe_abi.h"
#include "rnic/embedded/rings/work_request.h"
#include "rnic/rnic.h"

namespace vrdma::embedded {

// A count that one thread at a time changes, and any thread may read meanwhile: loads and stores
// that are whole, and no locked instruction.
class Count {
  public:
    void add(uint64_t more) {
#ifdef __x86_64__
        // GCC makes three instructions of the other form.
        asm("addq %1, %0" : "+m"(value_) : "er"(more) : "cc");
#else
        value_.store(value_.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
#endif
    }
    uint64_t value() const {
        return value_.load(std::memory_order_relaxed);
    }

  private:
    std::atomic<uint64_t> value_{0};
};

// What one side of a queue pair has carried out, by opcode. One worker at a time counts. A guest
// may ask as often as it likes, so that reading must not disturb the workers.
class Traffic {
  public:
    void count(WrOpcode opcode, uint64_t length) {
        Entry& entry = entries_[static_cast<size_t>(opcode) % kEntries];
        entry.messages.add(1);
        entry.bytes.add(length);
    }
    // Counts what another process has counted before. `opcode` is less than kEntries.
    void add(size_t opcode, uint64_t messages, uint64_t bytes) {
        entries_[opcode].messages.add(messages);
        entries_[opcode].bytes.add(bytes);
    }
    // All opcodes are below this one, a power of two.
    static constexpr size_t kEntries = 16;
    uint64_t messages(WrOpcode opcode) const { return at(opcode).messages.value(); }
    uint64_t bytes(WrOpcode opcode) const { return at(opcode).bytes.value(); }

  private:
    static_assert(static_cast<size_t>(WrOpcode::kBindWindow) < kEntries);
    struct Entry {
        Count messages;
        Count bytes;
    };
    const Entry& at(WrOpcode opcode) const { return entries_[static_cast<size_t>(opcode)]; }
    std::array<Entry, kEntries> entries_{};
};

// Messages that a queue pair has received, and their bytes. Who counts holds the receiver's lock.
struct Received {
    Count messages;
    Count bytes;
};

// What goes wrong, for a whole port: seldom, and counted by any worker.
class ErrorCounts {
  public:
    void count(vrdma_counter counter) { counts_[counter].fetch_add(1, std::memory_order_relaxed); }
    // Counts what another process has counted before.
    void add(size_t counter, uint64_t count) {
        counts_[counter].fetch_add(count, std::memory_order_relaxed);
    }
    uint64_t at(size_t counter) const { return counts_[counter].load(std::memory_order_relaxed); }

  private:
    std::array<std::atomic<uint64_t>, VRDMA_COUNTER_COUNT> counts_{};
};

// Adds what a queue pair has requested itself, what it has answered, and what it has received.
void add_traffic(rnic::Counters& counters, const Traffic& requested, const Traffic& answered,
                 const Received& received);

}  // namespace vrdma::embedded
