// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/datapath/retry_timers.h"

#include <algorithm>
#include <array>

namespace vrdma::embedded {
namespace {

// The delay at which repeated RNR NAKs of one message stop growing apart, see not_ready_delay().
constexpr uint64_t kSlowRnrNs = 1'000'000;

// IBTA 1.4, 9.7.5.2.8 (table 45): encoded timer values in units of 10 microseconds.
constexpr std::array<uint32_t, 32> kRnrTimer{65536, 1,    2,    3,     4,     6,     8,     12,
                                             16,    24,   32,   48,    64,    96,    128,   192,
                                             256,   384,  512,  768,   1024,  1536,  2048,  3072,
                                             4096,  6144, 8192, 12288, 16384, 24576, 32768, 49152};

}  // namespace

// The timer is a minimum. A receiver that stays away long makes short ones longer, so that a
// message which is retried for ever costs next to nothing.
uint64_t not_ready_delay(uint8_t timer, uint32_t naks) {
    const uint64_t delay = uint64_t{kRnrTimer[timer & 31]} * 10'000;
    if (delay >= kSlowRnrNs) {
        return delay;
    }
    return std::min(delay << std::min(naks / 4, 16u), kSlowRnrNs);
}

// The timeout is 4.096 us * 2^value, and 0 means none.
uint64_t transport_delay(uint8_t timeout) {
    return timeout == 0 ? kForever : uint64_t{4096} << (timeout & 31);
}

}  // namespace vrdma::embedded
