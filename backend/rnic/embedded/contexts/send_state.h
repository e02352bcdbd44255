// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "rnic/embedded/contexts/turn.h"
#include "rnic/embedded/keys/scatter_list.h"
#include "rnic/embedded/rings/ring.h"
#include "rnic/embedded/rings/work_request.h"

namespace vrdma::embedded {

class QpContext;  // known here by its address only

// The requester's half of a queue pair: its send queue and the message being sent. It belongs to
// the home worker of the queue pair's port; the verbs change it in a Pause.
class SendState {
  public:
    SendState(ConsumerRing ring, SendLimits limits, bool signal_all)
        : ring_(std::move(ring)), limits_(limits), signal_all_(signal_all) {}

    const Ring& ring() const { return ring_.ring(); }
    // The place of the oldest work request.
    uint32_t index() const { return ring_.first(); }
    bool signals_all() const { return signal_all_; }
    bool anything_posted() const { return !ring_.empty(); }
    // The same by the ring's header, which the guest can write. Any thread.
    bool anything_posted_by_guest() const { return ring_.header_says_posted(); }

    // Takes the oldest work request up; end() makes its slot free.
    void begin(QpType type) {
        defect_ = parse_send_request(ring_.front(), limits_, type, request_);
        in_progress_ = true;
        opened_at_peer_ = false;
        done_ = 0;
        next_member_ = 0;
        timeouts_ = 0;
        rnr_naks_ = 0;
    }
    void end() {
        in_progress_ = false;
        ring_.pop();
    }
    bool in_progress() const { return in_progress_; }
    const SendRequest& request() const { return request_; }
    // The defect of the request by itself, or kSuccess.
    WcStatus defect() const { return defect_; }
    bool wants_completion() const { return signal_all_ || request_.signaled(); }

    // Bytes of the message that have been copied, and that have not.
    uint64_t done() const { return done_; }
    uint64_t rest() const { return request_.length - done_; }
    // Whether the message has taken a receive request at the peer.
    bool is_open_at_peer() const { return opened_at_peer_; }
    void set_open_at_peer() { opened_at_peer_ = true; }
    // The message begins anew, because the peer has forgotten it.
    void restart() {
        opened_at_peer_ = false;
        done_ = 0;
    }

    // How far the message in progress is; what a successor goes on from. The work request itself
    // is still in the ring. Both are called in a Pause.
    struct Progress {
        bool in_progress = false;
        bool opened_at_peer = false;
        uint64_t done = 0;
        uint64_t next_member = 0;
        uint32_t timeouts = 0;
        uint32_t rnr_naks = 0;
        bool drain_reported = false;
    };
    Progress progress() const {
        return {.in_progress = in_progress_,
                .opened_at_peer = opened_at_peer_,
                .done = done_,
                .next_member = next_member_,
                .timeouts = timeouts_,
                .rnr_naks = rnr_naks_,
                .drain_reported = drain_reported_};
    }
    // guest-controlled: the guest may have changed the work request. One that does not fit what was
    // done of it has a defect.
    void go_on(const Progress& progress, QpType type) {
        drain_reported_ = progress.drain_reported;
        if (!progress.in_progress) {
            return;
        }
        begin(type);
        opened_at_peer_ = progress.opened_at_peer;
        done_ = progress.done;
        next_member_ = progress.next_member;
        timeouts_ = progress.timeouts;
        rnr_naks_ = progress.rnr_naks;
        if (defect_ == WcStatus::kSuccess && done_ > request_.length) {
            defect_ = WcStatus::kLocalQpOperationError;
        }
    }

    // The `rest` bytes of the message from done() on, as the guest listed them. False: a key does
    // not give access. These two are most of what a small message costs, hence inline.
    [[gnu::always_inline]] bool gather(const RegionTable& regions, const Pd& pd, uint64_t rest,
                                       ScatterList& list) {
        if (request_.is_inline) {
            list.add(request_.inline_data.data() + done_, rest);
            return true;
        }
        return list.resolve(regions, pd, request_.list(), 0, done_, rest);
    }
    // Copies what the turn has room for. True when the message is copied to its end.
    [[gnu::always_inline]] bool copy_chunk(const ScatterList& to, const ScatterList& from,
                                           uint64_t rest, Turn& turn) {
        uint64_t copied = std::min(rest, turn.room());
        if (copied != 0 && !copy_at_once(to, from, copied)) [[unlikely]] {
            unsigned steps = kStepsPerTurn;
            copied = copy_pieces(to, from, copied, steps);
            turn.spend((kStepsPerTurn - steps) * kPieceCost);
        }
        done_ += copied;
        turn.copied(copied);
        return copied == rest;
    }

    // The member of its group that a multicast message goes to next, by the number that the member
    // has there.
    uint64_t next_member() const { return next_member_; }
    void set_next_member(uint64_t number) { next_member_ = number; }

    // False when the message has timed out more often than `retry_cnt` allows.
    bool count_timeout(uint32_t retry_cnt) {
        if (timeouts_ > retry_cnt) {
            return false;
        }
        ++timeouts_;
        return true;
    }
    // How many RNR NAKs the message had before this one; none when there may be no more of them.
    // 7 in `rnr_retry` means no limit (IBTA 1.4, 9.7.5.2.8).
    std::optional<uint32_t> count_rnr_nak(uint32_t rnr_retry) {
        constexpr uint32_t kRetryForever = 7;
        if (rnr_retry != kRetryForever && rnr_naks_ >= rnr_retry) {
            return std::nullopt;
        }
        timeouts_ = 0;
        return rnr_naks_++;
    }

    // The retry timer: when it ends, by the engine's clock; 0 when none is running.
    bool is_waiting() const { return deadline_ns_ != 0; }
    uint64_t deadline_ns() const { return deadline_ns_; }
    void set_deadline_ns(uint64_t deadline) { deadline_ns_ = deadline; }

    // True once after each expect_drain().
    bool report_drained() { return !std::exchange(drain_reported_, true); }
    void expect_drain() { drain_reported_ = false; }

    // The connected peer, or null when it is to be looked for. It is the peer as long as
    // `addresses` are the ones of both ports, see PortContext::address_generation().
    QpContext* peer() const { return peer_; }
    bool knows(uint64_t addresses) const { return peer_addresses_ == addresses; }
    void set_peer(QpContext* peer, uint64_t addresses) {
        peer_ = peer;
        peer_addresses_ = addresses;
    }
    void forget_peer() { peer_ = nullptr; }

    // Takes the oldest request, which must exist, only to flush it; the message in progress is
    // given up.
    void give_up() { in_progress_ = false; }
    FlushedRequest take_flushed() {
        const FlushedRequest request = parse_flushed_send(ring_.front());
        ring_.pop();
        return request;
    }

    // Forgets all that is posted (QP to RESET).
    void reset() {
        ring_.clear();
        in_progress_ = false;
        deadline_ns_ = 0;
    }

  private:
    ConsumerRing ring_;
    const SendLimits limits_;
    const bool signal_all_;

    bool in_progress_ = false;
    bool opened_at_peer_ = false;
    uint64_t done_ = 0;
    uint64_t next_member_ = 0;
    uint32_t timeouts_ = 0;
    uint32_t rnr_naks_ = 0;
    WcStatus defect_ = WcStatus::kSuccess;

    uint64_t deadline_ns_ = 0;
    bool drain_reported_ = false;

    QpContext* peer_ = nullptr;
    uint64_t peer_addresses_ = 0;

    SendRequest request_;
};

}  // namespace vrdma::embedded
