// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "rnic/embedded/embedded_rnic.h"
#include "rnic/embedded/sync/gate.h"
#include "token_bucket.h"

namespace vrdma::embedded {

// What the Pauses of all guests may take of the workers' time. Half of it is shared out in advance,
// so that nobody's Pauses wait for those of others; the other half is for whoever comes. Any
// thread.
class PauseShares {
  public:
    // The part of the workers' time for each half, and how much of that may be saved.
    static constexpr uint64_t kHalf = 32;
    static constexpr std::chrono::nanoseconds kBurst = std::chrono::milliseconds(1);

    PauseShares() = default;
    PauseShares(const PauseShares&) = delete;
    PauseShares& operator=(const PauseShares&) = delete;

    // One of the halves, as TokenBucket has it; its tokens are nanoseconds of Pauses.
    class Share {
      public:
        uint64_t open_at_ns() const {
            const std::lock_guard lock(mutex_);
            return bucket_.open_at_ns();
        }
        void take(uint64_t tokens, uint64_t now_ns) {
            const std::lock_guard lock(mutex_);
            bucket_.take(tokens, now_ns);
        }

      private:
        static constexpr uint64_t kSecond = 1'000'000'000;

        mutable std::mutex mutex_;  // guards bucket_
        TokenBucket bucket_{kSecond / kHalf, static_cast<uint64_t>(kBurst.count()) * kHalf};
    };

    // What a guest has of the first half, as if all of that were the guest's. It outlives the
    // guest's port, so that a guest which resets its device has saved up nothing anew.
    Share& own(const std::string& guest) {
        const std::lock_guard lock(mutex_);
        return owns_[guest];
    }

    // The guests among which the first half is shared out.
    void join() { guests_.fetch_add(1, std::memory_order_relaxed); }
    void leave() { guests_.fetch_sub(1, std::memory_order_relaxed); }
    uint64_t guests() const { return guests_.load(std::memory_order_relaxed); }

    // The second half.
    Share& common() { return common_; }

  private:
    std::atomic<uint64_t> guests_{0};
    Share common_;
    std::mutex mutex_;                   // guards owns_
    std::map<std::string, Share> owns_;  // by guest
};

// The gate as the verbs of one guest use it. A Pause stops the work of all guests, and is charged
// to the guest whose verb it is, or to what all have in common. A guest that has had its share
// waits before the next Pause, outside the gate, so that only its own verbs get slower. One thread
// at a time.
class GuestGate {
  public:
    // What a Pause costs the workers besides the time that it lasts: they leave and come back.
    static constexpr std::chrono::nanoseconds kParking = std::chrono::microseconds(2);
    // What a verb does in a Pause is bounded; one that takes longer was interrupted by the host.
    // So a wait is at most kHalf times this and kParking, for each guest that there is.
    static constexpr std::chrono::nanoseconds kLongest = std::chrono::microseconds(100);

    // One at a time for each guest, whose name is `guest`.
    GuestGate(Gate& gate, Clock& clock, PauseShares& shares, const std::string& guest)
        : gate_(gate), clock_(clock), shares_(shares), own_(shares.own(guest)) {
        shares_.join();
    }
    ~GuestGate() { shares_.leave(); }
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
        bool is_charged_ = true;  // a Pause of a gate that is stopped costs nobody anything
        bool is_common_ = false;  // it is taken from the second half
    };

  public:
    // Charges for a Pause of the gate that was not one of these.
    void charge(std::chrono::nanoseconds lasted);

    // See Gate::Pause.
    class Pause {
      public:
        explicit Pause(GuestGate& gate) : charged_(gate), pause_(gate.gate_) {}

      private:
        Charged charged_;
        Gate::Pause pause_;
    };

  private:
    Gate& gate_;
    Clock& clock_;
    PauseShares& shares_;
    PauseShares::Share& own_;
};

}  // namespace vrdma::embedded
