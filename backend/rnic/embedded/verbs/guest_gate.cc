// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/verbs/guest_gate.h"

#include <algorithm>

namespace vrdma::embedded {

GuestGate::Charged::Charged(GuestGate& gate) : gate_(gate), begun_ns_(gate.clock_.now_ns()) {
    const uint64_t open_at_ns = gate.pauses_.open_at_ns();
    if (open_at_ns > begun_ns_) {
        gate.clock_.sleep_ns(open_at_ns - begun_ns_);
        begun_ns_ = gate.clock_.now_ns();
    }
}

GuestGate::Charged::~Charged() {
    const uint64_t now_ns = gate_.clock_.now_ns();
    const auto lasted = std::min<uint64_t>(now_ns - begun_ns_, kLongest.count());
    gate_.pauses_.take(lasted + kParking.count(), now_ns);
}

}  // namespace vrdma::embedded
