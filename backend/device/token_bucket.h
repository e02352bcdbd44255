// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace vrdma::device {

// Bounds a rate: a token comes at regular times, up to a number that may be saved, and each thing
// that is done takes one.  One thread.
class TokenBucket {
  public:
    using Time = std::chrono::steady_clock::time_point;
    using Duration = std::chrono::steady_clock::duration;

    // From now on `per_second` tokens come, of which `burst` (at least 1) can be saved; the bucket
    // is full at first, and keeps what it has when this changes.  0 per second: without limit.
    void set(uint64_t per_second, uint64_t burst, Time now) {
        constexpr uint64_t kSecond = Duration(std::chrono::seconds(1)).count();
        const uint64_t interval = per_second == 0 ? 0 : std::max(uint64_t{1}, kSecond / per_second);
        // What can be saved is a time, of which each token takes one interval.
        constexpr auto kMost = static_cast<uint64_t>(Duration::max().count() / 4);
        interval_ = Duration(interval);
        depth_ = Duration(interval == 0 ? 0 : std::min(kMost / interval, burst) * interval);
        full_at_ = std::min(full_at_, now + depth_);
    }

    // How long it is until the next token; zero when there is one.
    Duration wait(Time now) const {
        if (interval_ == Duration::zero()) {
            return Duration::zero();
        }
        return std::max(Duration::zero(), full_at_ - now + interval_ - depth_);
    }

    // Takes a token.  wait() has said that there is one.
    void take(Time now) { full_at_ = std::max(full_at_, now) + interval_; }

  private:
    Duration interval_{};
    Duration depth_{};
    Time full_at_{};  // when the bucket will be full again
};

}  // namespace vrdma::device
