// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

#include "rnic/embedded/datapath/port_context.h"
#include "rnic/embedded/live_count.h"
#include "rnic/embedded/rings/ring.h"
#include "rnic/embedded/rings/work_request.h"
#include "rnic/embedded/sync/spin_lock.h"
#include "rnic/embedded/verbs/cq.h"
#include "rnic/embedded/verbs/srq.h"
#include "rnic/rnic.h"
#include "rnic/verbs_abi.h"

namespace vrdma::embedded {

class Engine;
class Qp;

// The requester's half; belongs to the home worker of the queue pair's port.
struct SendSide {
    ConsumerRing ring;
    SendLimits limits;
    bool signal_all = false;

    // The message being sent.
    bool in_progress = false;
    bool opened_at_peer = false;  // it has taken a receive request there
    uint64_t done = 0;            // bytes of it that have been copied
    uint32_t timeouts = 0;
    uint32_t rnr_naks = 0;
    WcStatus defect = WcStatus::kSuccess;  // found when it was parsed

    bool waiting = false;      // for a timer
    uint64_t timer_token = 0;  // tells the current timer from earlier ones
    bool drain_reported = false;

    Qp* peer = nullptr;  // of a connected queue pair, as of `generation` of the engine
    uint64_t generation = 0;

    SendRequest request;
};

// The responder's half; workers of different ports meet here.
struct ReceiveSide {
    SpinLock lock;  // of all below, but for the SRQ's own state
    ReceiveQueue queue;
    Srq* srq = nullptr;
    bool active = false;  // `request` is taken from the queue and not completed
    bool last_wqe_reported = false;
    ReceiveRequest request;
    std::atomic<bool> established{false};  // the event of the first message is out
};

class Qp final : public rnic::QueuePair {
  public:
    // EINVAL for what the limits do not allow, EOPNOTSUPP for a type that is not
    // offered, ENOMEM.  The capabilities in `init` come back as they are.
    static Result<std::unique_ptr<Qp>> create(Engine& engine, PortState& port, RingMemory& memory,
                                              uint32_t handle, rnic::Context::QpInit& init);
    ~Qp() override;

    uint32_t qp_num() const override { return number; }
    Result<void> modify(uint32_t attr_mask, const rnic::QpAttributes& wanted,
                        rnic::Udata& udata) override;
    Result<rnic::QpAttributes> query() override;
    Result<void> attach_mcast(const rnic::Gid& gid, uint16_t lid) override;
    Result<void> detach_mcast(const rnic::Gid& gid, uint16_t lid) override;

    mminfo send_ring_info() const { return send.ring.ring().info(); }
    mminfo receive_ring_info() const;

    // A responder in this state takes messages (IBTA 1.4, 10.3.1).
    bool receives() const {
        const auto now = state.load(std::memory_order_acquire);
        return now >= QpState::kReadyToReceive && now <= QpState::kSendQueueError;
    }

    // Of datagrams that it takes (IBTA 1.4, 10.2.5).
    uint32_t qkey() const { return type == QpType::kGsi ? kGsiQkey : attributes.qkey; }

    // To the error state; the home worker then flushes both queues.  From any worker.
    void enter_error();

    Engine& engine;
    PortState& port;
    const Pd& pd;
    Cq& send_cq;
    Cq& recv_cq;
    const QpType type;
    const uint32_t handle;
    uint32_t number = 0;
    std::atomic<QpState> state{QpState::kReset};
    rnic::QpAttributes attributes;  // but for the states; changes in a Pause only

    SendSide send;
    ReceiveSide receive;

    std::atomic<uint32_t> windows{0};  // that are bound to it
    uint32_t groups = 0;               // multicast groups that it is attached to

    // The home worker's list of active queue pairs.
    bool active = false;
    Qp* next_active = nullptr;

  private:
    Qp(Engine& engine, PortState& port, uint32_t handle, const rnic::Context::QpInit& init,
       LiveCount count, LiveCount bytes);
    Result<void> take_number();
    Result<void> check(uint32_t attr_mask, const rnic::QpAttributes& wanted) const;
    void apply(uint32_t attr_mask, const rnic::QpAttributes& wanted);
    void enter(QpState from, QpState to);
    void reset();

    LiveCount count_;
    LiveCount bytes_;
};

}  // namespace vrdma::embedded
