// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>

#include "rnic/embedded/datapath/responder.h"
#include "rnic/embedded/keys/scatter_list.h"
#include "rnic/verbs_abi.h"

namespace vrdma::embedded {

class Engine;
class Qp;
struct SendSide;
struct SendRequest;

// Executes send queues (IBTA 1.4, 9.6 to 9.9).  A message is carried out in order
// and completely before the next one begins, so every ordering rule and every fence
// of chapter 10.8.3 holds by construction.
class Requester {
  public:
    enum class Progress {
        kIdle,     // nothing left to do until the doorbell rings or a verb calls
        kMore,     // the slice is used up
        kWaiting,  // for `delay_ns`, then again
    };
    static constexpr uint64_t kForever = std::numeric_limits<uint64_t>::max();
    struct Outcome {
        Progress progress = Progress::kIdle;
        uint64_t delay_ns = 0;
    };

    explicit Requester(Engine& engine) : engine_(engine) {}

    // One slice of the queue pair's work, bounded in requests and in bytes.
    Outcome run(Qp& qp);

  private:
    struct Step {
        enum class Kind : uint8_t { kComplete, kPartial, kWait } kind;
        WcStatus status = WcStatus::kSuccess;
        uint64_t delay_ns = 0;
    };
    static Step complete(WcStatus status) { return {Step::Kind::kComplete, status}; }
    static Step partial() { return {Step::Kind::kPartial}; }
    static Step wait(uint64_t delay_ns) {
        return {Step::Kind::kWait, WcStatus::kSuccess, delay_ns};
    }

    Outcome run_other_state(Qp& qp, QpState state);
    void begin(Qp& qp);
    Step execute(Qp& qp, uint64_t& budget);
    void finish(Qp& qp, WcStatus status);
    void fail_send_queue(Qp& qp);
    bool flush_sends(Qp& qp);
    void report_drained(Qp& qp);

    // The operations; each moves at most `budget` bytes and takes them off it.
    Step send(Qp& qp, uint64_t& budget);
    Step write(Qp& qp, uint64_t& budget);
    Step read(Qp& qp, uint64_t& budget);
    Step atomic(Qp& qp);
    Step datagram(Qp& qp, uint64_t& budget);
    void multicast(Qp& qp, const rnic::Gid& group, const ScatterList& from, uint64_t& budget);
    static void deliver(const Qp& qp, Qp& peer, const ScatterList& from);
    Step register_memory(Qp& qp, uint64_t& budget);
    Step invalidate(Qp& qp);
    Step bind_window(Qp& qp);
    static const rnic::AhAttributes* address_of(const Qp& qp);
    Qp* datagram_peer(const rnic::AhAttributes& address, uint32_t number) const;
    uint64_t execute_atomic(const SendRequest& request, const ScatterList& target);

    // The connected peer if it can be reached and takes messages, else null.
    Qp* reach(Qp& qp);
    void find_peer(Qp& qp);
    bool gather(Qp& qp, uint64_t rest, ScatterList& list) const;
    static bool copy_chunk(SendSide& send, const ScatterList& to, const ScatterList& from,
                           uint64_t rest, uint64_t& budget);

    // What a refusal of the responder means to the requester, by transport.
    Step unreachable(Qp& qp);
    Step refused(Qp& qp, Qp& peer, Verdict verdict);

    Engine& engine_;
};

}  // namespace vrdma::embedded
