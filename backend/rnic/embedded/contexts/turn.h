// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>

namespace vrdma::embedded {

// What a worker's work costs, in the time that it takes to copy one byte: about a tenth of a
// nanosecond.
inline constexpr int64_t kMessageCost = 1024;  // a request, from its look-up to its completion
inline constexpr int64_t kPartCost = 512;      // going on with a message
inline constexpr int64_t kFlushCost = 1024;    // a request that is only completed
inline constexpr int64_t kPieceCost = 128;     // a copy's step from one piece of memory to another
inline constexpr int64_t kPageCost = 512;      // a page that a request registers
inline constexpr int64_t kLookCost = 256;      // a word of doorbells, a queue pair, a timer

// A turn ends when about so much is done, some two microseconds: the longest that one guest waits
// for another one's turn.
inline constexpr int64_t kTurnCost = int64_t{16} * 1024;

// What is done in one turn of a queue pair, and what is left of the turn.
class Turn {
  public:
    bool is_over() const { return left_ <= 0; }
    // How many bytes may be copied, in a turn that is not over.
    uint64_t room() const { return static_cast<uint64_t>(left_); }

    void copied(uint64_t bytes) { left_ -= static_cast<int64_t>(bytes); }
    void spend(int64_t cost) {
        left_ -= cost;
        spent_ += cost;
    }
    void count_message() {
        left_ -= kMessageCost;
        ++messages_;
    }
    // Work that carries no message out.
    void waste(int64_t cost) {
        spend(cost);
        wasted_ += cost;
    }

    uint64_t bytes() const {
        return static_cast<uint64_t>(cost() - spent_ -
                                     kMessageCost * static_cast<int64_t>(messages_));
    }
    uint64_t messages() const { return messages_; }
    // All that was done, and the part of it that was wasted.
    int64_t cost() const { return kTurnCost - left_; }
    int64_t wasted() const { return wasted_; }

  private:
    int64_t left_ = kTurnCost;
    int64_t spent_ = 0;  // neither for bytes nor for whole messages
    int64_t wasted_ = 0;
    uint64_t messages_ = 0;
};

}  // namespace vrdma::embedded
