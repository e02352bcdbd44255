// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <utility>

#include "rnic/doorbell_scan.h"
#include "rnic/embedded/contexts/port_context.h"
#include "rnic/embedded/contexts/qp_context.h"
#include "rnic/embedded/contexts/qp_list.h"
#include "rnic/embedded/contexts/turn.h"
#include "rnic/embedded/sync/slice_counter.h"
#include "rnic/traffic_limits.h"
#include "token_bucket.h"

namespace vrdma::embedded {

// What one port has to do on its worker, and what the port has had of the worker's time. It belongs
// to the worker; verbs change it in a Pause.
class alignas(kCacheLineSize) PortWork {
  public:
    // Which turns are watched follows from `seed`.
    PortWork(PortContext& port, uint32_t seed) : port_(port), random_(seed) {}
    PortWork(const PortWork&) = delete;
    PortWork& operator=(const PortWork&) = delete;

    PortContext& port() const { return port_; }
    QpList& active() { return active_; }
    rnic::DoorbellScan& sends() { return sends_; }
    rnic::DoorbellScan& arms() { return arms_; }

    // The doorbell area has come, moved or gone (null). What was taken of an earlier one counts.
    void use(vrdma_doorbell_area* area) {
        area_ = area;
        sends_root_ = area != nullptr ? &area->qp.root : &kNeverRung;
        update();
    }

    // Has the doorbells ring again that were taken and not looked at. Called in a Pause.
    void give_back_doorbells() {
        if (area_ != nullptr) {
            sends_.give_back(area_->qp);
            arms_.give_back(area_->cq);
            update();
        }
    }

    // The worker does not wait for the port's doorbells yet.
    bool is_unwatched() const { return unwatched_; }
    void set_unwatched(bool unwatched) { unwatched_ = unwatched; }

    // Whether a turn would do anything. For a port that rests, it costs one look at the doorbells.
    bool anything_to_do() const { return has_rung() || goes_on_; }
    bool has_rung() const { return memory::load(sends_root_, std::memory_order_relaxed) != 0; }
    bool has_sends_to_collect() const {
        return has_rung() || (sends_.pending() && area_ != nullptr);
    }
    // Whether there may be more to do without another doorbell; update() finds out.
    bool goes_on() const { return goes_on_; }
    void may_go_on() { goes_on_ = true; }
    void update() {
        goes_on_ = !active_.empty() || is_failing() || (sends_.pending() && area_ != nullptr);
    }
    void add(QpContext& qp) {
        active_.push(qp.active());
        goes_on_ = true;
    }
    bool has_rung_arms() const {
        return area_ != nullptr &&
               (rnic::has_rung(area_->cq, std::memory_order_relaxed) || arms_.pending());
    }
    // The look before a sleep, see Worker::sleep().
    bool has_rung_at_last() const {
        return area_ != nullptr && (rnic::has_rung(area_->qp, std::memory_order_seq_cst) ||
                                    rnic::has_rung(area_->cq, std::memory_order_seq_cst));
    }

    // The search for queue pairs of a failed CQ, by handle.
    bool is_failing() const { return next_to_fail_ != kNoSearch; }
    void fail_from(uint32_t handle) {
        next_to_fail_ = handle;
        goes_on_ = true;
    }
    void end_failing() { next_to_fail_ = kNoSearch; }
    uint32_t next_to_fail() const { return next_to_fail_; }

    // Start-time fair queueing (Goyal, Vin, Cheng: SIGCOMM 1996): each port's work ends at a
    // virtual time, which goes on by what the work costs, divided by the port's weight. The port
    // whose time is earliest is next. The RNIC's own virtual time is that of the last turn; a port
    // that rested begins there, and has neither saved up anything nor lost its debts.
    uint64_t virtual_end() const { return virtual_end_; }
    // Begins a turn, and takes `now`, the worker's virtual time, along.
    void begin_turn(uint64_t& now) {
        now = std::max(now, virtual_end_);
        virtual_end_ = now;
    }
    // Whether the port has had a turn since this was asked last.
    bool has_had_turn() { return std::exchange(last_virtual_end_, virtual_end_) != virtual_end_; }
    // All virtual times go back by the same.
    void rebase(uint64_t by) { virtual_end_ -= std::min(by, virtual_end_); }

    // Work that carried messages out.
    void charge(int64_t cost) {
        virtual_end_ += static_cast<uint64_t>(cost) * cost_factor_;
        good_ += cost;
    }
    // Work that did not: looks at doorbells behind which there is nothing, flushes, failures,
    // retries. A guest needs a little of it beside its messages. What goes beyond that costs many
    // times as much, so that a guest which does nothing else has next to nothing of a worker that
    // others want.
    void charge_useless(int64_t cost) {
        const int64_t good_before = good_;
        good_ = std::min(good_, kMostGood);
        const int64_t covered = std::min(cost, good_);
        good_ -= covered;
        good_used_ += good_before - good_;
        paid_ += good_before - good_ + cost;
        useless_ += cost - covered;
        if (cost > covered) {
            watch_after(1);
            stands_for_ = 1;
        }
        virtual_end_ += static_cast<uint64_t>(covered + (cost - covered) * kUselessFactor) *
                        uint64_t{cost_factor_};
    }

    // A turn that is watched is timed: now and then one of each port, all turns of a port whose
    // work was useless, until a turn is of use again, and many turns of a port that has long ones,
    // while several ports have work. A copy of memory that no cache has takes several times as long
    // as one that has, and the first touch of a page more; who does nothing useful chooses what
    // that touches.
    // Counts a turn that begins. Answers whether it is watched.
    bool count_turn() { return --turns_to_watch_ == 0; }
    void begin_watched(uint64_t now_ns) {
        watched_since_ns_ = now_ns;
        good_at_start_ = good_;
        good_used_ = 0;
        useless_ = 0;
        goes_on_ = true;  // so that the end of the turn is looked at
    }
    bool has_begun_watched() const { return watched_since_ns_ != 0; }
    // Compares the time that the turn has taken with its cost: the port is charged for the
    // difference, and what the next turns cost follows it. `contended`: other ports have work, too.
    void end_watched(uint64_t now_ns, bool contended) {
        const uint64_t since_ns = std::exchange(watched_since_ns_, 0);
        const uint64_t taken_ns = now_ns - std::min(now_ns, since_ns);
        const auto taken =
            static_cast<int64_t>(std::min<uint64_t>(taken_ns * kUnitsPerNs, kLongestTurn));
        const int64_t good = std::max<int64_t>(good_ + good_used_ - good_at_start_, 0);
        const int64_t useless = useless_;
        const int64_t charged = good + useless;
        const int64_t stands_for = std::exchange(stands_for_, 1);
        watch_after(useless > 0 ? 1 : kFewestTurns + random_bits(kTurnBits));
        tell_activity();
        if (taken == 0 || charged == 0) {
            return;
        }
        if (useless > 0) {
            if (taken > charged) {
                // A single turn may be of a worker that was interrupted.
                const int64_t most = charged * kSlowest / kAsCharged;
                charge_useless((std::min(taken, most) - charged) * useless / charged);
            }
            return;
        }
        // A turn counts for at most kSlower times the pace so far: copies differ by less, and a
        // worker that was interrupted makes a port's work twice as dear at most, for a few turns.
        const int64_t seen = std::min({taken * kAsCharged / charged, kSlowest, kSlower * pace_});
        settle((seen - pace_) * charged / kAsCharged * stands_for, charged * pace_ / kAsCharged);
        if (contended && charged >= kLongTurn) {
            watch_after(1 + random_bits(kLongTurnBits));
            stands_for_ = turns_to_watch_;
        } else if (seen > 2 * pace_) {
            // A port that has become slow is soon charged for it, turn by turn.
            watch_after(1);
        }
        follow(seen);
    }

    // The rates.
    void limit(const rnic::TrafficLimits& limits) {
        const auto burst_ns = static_cast<uint64_t>(std::chrono::nanoseconds(limits.burst).count());
        weight_ = limits.weight;
        update_cost_factor();
        bytes_ = TokenBucket(limits.bytes_per_second, burst_ns);
        messages_ = TokenBucket(limits.messages_per_second, burst_ns);
        has_rate_ = bytes_.limits() || messages_.limits();
        open_at_ns_ = 0;
        waits_ = false;
    }
    // Counts in `reached`, which outlives the port, how often work waits.  Null: does not count.
    void count_waits(rnic::TrafficReached* reached) { reached_ = reached; }
    // The port has work that may not be sent before open_at_ns().
    void wait() {
        if (waits_ || reached_ == nullptr) {
            return;
        }
        waits_ = true;
        auto& rate = bytes_.open_at_ns() > messages_.open_at_ns() ? reached_->bytes_per_second
                                                                  : reached_->messages_per_second;
        rate.count();
    }
    bool has_rate() const { return has_rate_; }
    void take(uint64_t bytes, uint64_t messages, uint64_t now_ns) {
        bytes_.take(bytes, now_ns);
        messages_.take(messages, now_ns);
        open_at_ns_ = std::max(bytes_.open_at_ns(), messages_.open_at_ns());
        waits_ = false;
    }
    // The time from which on the port may send; the past for a port without rates.
    uint64_t open_at_ns() const { return open_at_ns_; }

  private:
    static constexpr uint32_t kNoSearch = UINT32_MAX;
    // The virtual time of one unit of cost at weight 1.
    static constexpr uint32_t kUnitWeight = 16 * rnic::TrafficLimits::kMaxWeight;
    static constexpr int64_t kUselessFactor = 64;
    static constexpr uint64_t kUnitsPerNs = 10;                  // of cost
    static constexpr uint64_t kLongestTurn = uint64_t{1} << 32;  // what is beyond is no turn's work
    // The time that work takes beside its cost, in 256ths.
    static constexpr int64_t kAsCharged = 256;
    static constexpr int64_t kFastest = kAsCharged / 4;
    static constexpr int64_t kSlowest = kAsCharged * 16;
    static constexpr int64_t kSlower = 8;
    // The two looks at the clock are little beside a few turns of this length.
    static constexpr int64_t kLongTurn = kTurnCost / 2;
    // From one turn that is watched to the next. No guest foresees it, or its turns would be quick
    // just then.
    static constexpr uint32_t kFewestTurns = 64;
    static constexpr unsigned kTurnBits = 7;
    static constexpr unsigned kLongTurnBits = 4;
    static constexpr int64_t kMostOwed = 64 * kTurnCost;

    // The turn that is watched next is the one after so many.
    void watch_after(uint32_t turns) {
        turns_ += planned_turns_ - turns_to_watch_;
        planned_turns_ = turns_to_watch_ = turns;
    }
    // Tells what the turns since the last time were, and took: what their cost says, at the pace so
    // far.
    void tell_activity() {
        const int64_t cost = std::exchange(told_, good_ + paid_);
        const int64_t units = std::max<int64_t>(told_ - cost, 0) * pace_ / kAsCharged;
        port_.activity().add_turns(std::exchange(turns_, 0),
                                   static_cast<uint64_t>(units) / kUnitsPerNs);
    }
    uint32_t random_bits(unsigned count) {
        random_ = random_ * 1664525 + 1013904223;  // Knuth, volume 2, 3.3.4, table 1
        return random_ >> (32 - count);
    }
    // Turns took so much more, or less, than was charged for them; `charged` for the last one. A
    // port has nothing back beyond that, since its virtual time does not go behind the RNIC's: the
    // rest is kept for turns that took more.
    void settle(int64_t difference, int64_t charged) {
        owed_ = std::max(owed_ + difference, -kMostOwed);
        const int64_t now = std::max(owed_, -charged);
        owed_ -= now;
        virtual_end_ += static_cast<uint64_t>(now * (int64_t{kUnitWeight} / weight_));
    }
    void follow(int64_t seen) {
        pace_ += (std::max(seen, kFastest) - pace_) / 8;
        update_cost_factor();
    }
    void update_cost_factor() {
        cost_factor_ = static_cast<uint32_t>(int64_t{kUnitWeight} * pace_ / kAsCharged / weight_);
    }

    static constexpr int64_t kMostGood = 4 * kTurnCost;

    static constexpr __le64 kNeverRung = 0;

    // What every turn looks at for each port, whoever's turn it is, in one cache line.
    const __le64* sends_root_ = &kNeverRung;  // guest-controlled
    uint64_t virtual_end_ = 0;
    uint64_t open_at_ns_ = 0;
    bool goes_on_ = false;  // without another doorbell
    uint32_t turns_to_watch_ = 1;

    bool has_rate_ = false;
    uint32_t cost_factor_ = kUnitWeight;
    PortContext& port_;
    vrdma_doorbell_area* area_ = nullptr;  // guest-controlled
    QpList active_;
    rnic::DoorbellScan sends_;
    uint32_t next_to_fail_ = kNoSearch;
    uint32_t weight_ = 1;
    int64_t pace_ = kAsCharged;
    int64_t stands_for_ = 1;  // turns, for which the next one that is watched is settled
    uint32_t random_;
    int64_t owed_ = 0;  // by the port; negative: to it
    uint64_t last_virtual_end_ = 0;
    bool waits_ = false;  // and that was counted
    bool unwatched_ = false;
    rnic::TrafficReached* reached_ = nullptr;
    int64_t good_ = 0;
    // The counts of the turn that is watched.
    uint64_t watched_since_ns_ = 0;
    int64_t good_at_start_ = 0;
    int64_t good_used_ = 0;  // what good_ has lost
    int64_t useless_ = 0;    // beyond what that covers
    // What has been told of the port's activity.
    uint32_t planned_turns_ = 1;  // what turns_to_watch_ began with
    uint32_t turns_ = 0;          // not yet told
    int64_t paid_ = 0;            // the cost of all work, beside what good_ still has
    int64_t told_ = 0;            // of good_ and paid_
    rnic::DoorbellScan arms_;
    TokenBucket bytes_;
    TokenBucket messages_;
};

}  // namespace vrdma::embedded
