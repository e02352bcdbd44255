// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <algorithm>
#include <cstdint>

namespace vrdma::embedded {

// A token bucket, known by the time at which it will be full again (ATM Forum's generic cell rate
// algorithm). More may be taken than there is: then nothing more may be taken for so much longer.
class TokenBucket {
  public:
    // A bucket that is full, or, with a rate of 0, that is never empty.
    void set(uint64_t per_second, uint64_t burst_ns) {
        per_second_ = per_second;
        burst_ns_ = burst_ns;
        full_at_ns_ = 0;
    }
    bool limits() const { return per_second_ != 0; }

    void take(uint64_t amount, uint64_t now_ns) {
        if (limits()) {
            const auto cost = static_cast<unsigned __int128>(amount) * 1'000'000'000 / per_second_;
            full_at_ns_ = std::max(full_at_ns_, now_ns) + static_cast<uint64_t>(cost);
        }
    }
    // The time from which on there is something to take.
    uint64_t open_at_ns() const { return full_at_ns_ > burst_ns_ ? full_at_ns_ - burst_ns_ : 0; }

  private:
    uint64_t per_second_ = 0;
    uint64_t burst_ns_ = 0;
    uint64_t full_at_ns_ = 0;
};

}  // namespace vrdma::embedded
