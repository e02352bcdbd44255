// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <chrono>
#include <cstdint>

#include "rnic/embedded/embedded_rnic.h"
#include "rnic/embedded/sync/gate.h"
#include "token_bucket.h"

namespace vrdma::embedded {

// The gate as the verbs of one guest use it. A Pause stops the work of all guests, and is charged
// to the guest whose verb it is. A guest that has had its share of them waits before the next one,
// outside the gate, so that only its own verbs get slower. One thread at a time.
class GuestGate {
  public:
    // The part of the workers' time that one guest's Pauses may take, and how much of that a guest
    // that made none has at once.
    static constexpr uint64_t kShare = 16;
    static constexpr std::chrono::nanoseconds kBurst = std::chrono::milliseconds(1);
    // What a Pause costs the workers besides the time that it lasts: they leave and come back.
    static constexpr std::chrono::nanoseconds kParking = std::chrono::microseconds(2);
    // What a verb does in a Pause is bounded; one that takes longer was interrupted by the host.
    // So no wait is longer than kShare times this and kParking.
    static constexpr std::chrono::nanoseconds kLongest = std::chrono::microseconds(100);

    GuestGate(Gate& gate, Clock& clock)
        : gate_(gate),
          clock_(clock),
          pauses_(kSecond / kShare, static_cast<uint64_t>(kBurst.count()) * kShare) {}
    GuestGate(const GuestGate&) = delete;
    GuestGate& operator=(const GuestGate&) = delete;

  private:
    // Waits until the guest may have a Pause, and charges the Pause at its end.
    class Charged {
      public:
        explicit Charged(GuestGate& gate);
        ~Charged();
        Charged(const Charged&) = delete;
        Charged& operator=(const Charged&) = delete;

      private:
        GuestGate& gate_;
        uint64_t begun_ns_;
    };

  public:
    // See Gate::Pause.
    class Pause {
      public:
        explicit Pause(GuestGate& gate) : charged_(gate), pause_(gate.gate_) {}

      private:
        Charged charged_;
        Gate::Pause pause_;
    };

  private:
    static constexpr uint64_t kSecond = 1'000'000'000;  // in nanoseconds

    Gate& gate_;
    Clock& clock_;
    TokenBucket pauses_;  // nanoseconds of them
};

}  // namespace vrdma::embedded
