// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <algorithm>
#include <cstdint>

namespace vrdma {

// Bounds a rate: tokens come at regular times, and some are saved.  The bucket is known by the time
// at which it will be full again (ATM Forum's generic cell rate algorithm).  More may be taken than
// there is: then nothing more may be taken for so much longer.  Times are in nanoseconds of any
// clock that begins at 0.  One thread.
class TokenBucket {
  public:
    TokenBucket() = default;  // without limit

    // A bucket that is full.  `per_second` tokens come, 0 for no limit; as many are saved as come
    // in `burst_ns`, but at least one.
    TokenBucket(uint64_t per_second, uint64_t burst_ns) : per_second_(per_second) {
        if (limits()) {
            const uint64_t one = time_of(per_second, 1);
            full_ns_ = std::max(std::min(burst_ns, kMostNs), one);
            spare_ns_ = full_ns_ - one;
        }
    }

    // The time in which `tokens` come.
    static uint64_t time_of(uint64_t per_second, uint64_t tokens) {
        if (per_second == 0) {
            return 0;
        }
        const auto time = static_cast<unsigned __int128>(tokens) * 1'000'000'000 / per_second;
        return static_cast<uint64_t>(std::min<unsigned __int128>(time, kMostNs));
    }

    // From now on the bucket is such a one, but keeps what it has, as far as that can be saved.
    void change(uint64_t per_second, uint64_t burst_ns, uint64_t now_ns) {
        const uint64_t full_at_ns = full_at_ns_;
        *this = TokenBucket(per_second, burst_ns);
        full_at_ns_ = std::min(full_at_ns, now_ns + full_ns_);
    }

    bool limits() const { return per_second_ != 0; }

    void take(uint64_t tokens, uint64_t now_ns) {
        if (limits()) {
            full_at_ns_ = std::max(full_at_ns_, now_ns) + time_of(per_second_, tokens);
        }
    }
    // The time from which on there is a token.
    uint64_t open_at_ns() const { return full_at_ns_ > spare_ns_ ? full_at_ns_ - spare_ns_ : 0; }

  private:
    // Sums of a few such times are far from the end of the type.
    static constexpr uint64_t kMostNs = uint64_t{1} << 61;

    uint64_t per_second_ = 0;
    uint64_t full_ns_ = 0;     // in which an empty bucket gets full
    uint64_t spare_ns_ = 0;    // the same, but for the last token
    uint64_t full_at_ns_ = 0;  // when the bucket will be full again
};

}  // namespace vrdma
