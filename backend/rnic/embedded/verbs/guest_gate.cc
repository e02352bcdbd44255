// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/verbs/guest_gate.h"

#include <algorithm>

namespace vrdma::embedded {

GuestGate::Charged::Charged(GuestGate& gate) : gate_(gate), begun_ns_(gate.clock_.now_ns()) {
    if (gate.gate_.is_stopped()) {
        is_charged_ = false;
        return;
    }
    uint64_t open_at_ns = gate.own_.open_at_ns();
    if (open_at_ns <= begun_ns_) {
        return;
    }
    const uint64_t common_ns = gate.shares_.common().open_at_ns();
    is_common_ = common_ns < open_at_ns;
    open_at_ns = std::min(open_at_ns, common_ns);
    if (open_at_ns > begun_ns_) {
        gate.clock_.sleep_ns(open_at_ns - begun_ns_);
        begun_ns_ = gate.clock_.now_ns();
    }
}

GuestGate::Charged::~Charged() {
    if (!is_charged_) {
        return;
    }
    const uint64_t now_ns = gate_.clock_.now_ns();
    const uint64_t cost =
        std::min<uint64_t>(now_ns - begun_ns_, kLongest.count()) + kParking.count();
    if (is_common_) {
        gate_.shares_.common().take(cost, now_ns);
    } else {
        gate_.own_.take(cost * gate_.shares_.guests(), now_ns);
    }
}

void GuestGate::charge(std::chrono::nanoseconds lasted) {
    if (gate_.is_stopped()) {
        return;
    }
    const auto cost = static_cast<uint64_t>((lasted + kParking).count());
    own_.take(cost * shares_.guests(), clock_.now_ns());
}

}  // namespace vrdma::embedded
