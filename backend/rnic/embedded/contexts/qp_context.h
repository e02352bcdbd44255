// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <atomic>
#include <cstdint>

#include "rnic/attributes.h"
#include "rnic/embedded/contexts/cq_context.h"
#include "rnic/embedded/contexts/port_context.h"
#include "rnic/embedded/contexts/qp_list.h"
#include "rnic/embedded/contexts/receive_state.h"
#include "rnic/embedded/contexts/send_state.h"
#include "rnic/embedded/contexts/traffic.h"
#include "rnic/embedded/keys/window.h"

namespace vrdma::embedded {

// Whether a responder in this state takes messages (IBTA 1.4, 10.3.1).
constexpr bool receives(QpState state) {
    return state >= QpState::kReadyToReceive && state <= QpState::kSendQueueError;
}

// The data path's state of one queue pair.
class QpContext {
  public:
    struct Init {
        const Pd& pd;
        CqContext& send_cq;
        CqContext& recv_cq;
        SrqContext* srq = nullptr;  // or none
        QpType type;
        uint32_t handle;
        bool signal_all;
        rnic::QpCapabilities cap;
        ConsumerRing send_ring;
        ConsumerRing receive_ring;  // empty with an SRQ
    };
    QpContext(PortContext& port, Init init);
    QpContext(const QpContext&) = delete;
    QpContext& operator=(const QpContext&) = delete;

    PortContext& port() const { return port_; }
    const Pd& pd() const { return windows_.pd(); }
    QpType type() const { return type_; }
    uint32_t handle() const { return handle_; }
    uint32_t number() const { return number_; }
    WindowOwner& windows() { return windows_; }
    const WindowOwner& windows() const { return windows_; }
    const CqContext& send_cq() const { return send_cq_; }
    const CqContext& recv_cq() const { return recv_cq_; }

    SendState& send() { return send_; }
    const SendState& send() const { return send_; }
    ReceiveState& receive() { return receive_; }
    const ReceiveState& receive() const { return receive_; }

    // Its requests that were carried out: the home worker counts them.
    Traffic& requested() { return requested_; }
    const Traffic& requested() const { return requested_; }
    // The requests of the connected peer that it answered: the peer's home worker counts them,
    // but those that a receive takes in.
    Traffic& answered() { return answered_; }
    const Traffic& answered() const { return answered_; }
    // Called by the thread that makes and destroys the port's queue pairs.
    void add_to(rnic::Counters& counters) const {
        add_traffic(counters, requested_, answered_, receive_.received());
    }

    // The attributes but for the states. They change in a Pause only.
    const rnic::QpAttributes& attributes() const { return attributes_; }
    void set_attributes(const rnic::QpAttributes& attributes) { attributes_ = attributes; }
    // Called in a Pause.
    void set_number(uint32_t number) { number_ = number; }

    QpState state() const { return state_.load(std::memory_order_acquire); }
    bool receives() const { return embedded::receives(state()); }
    // The Q_Key of the datagrams that the queue pair takes (IBTA 1.4, 10.2.5).
    uint32_t qkey() const { return type_ == QpType::kGsi ? kGsiQkey : attributes_.qkey; }

    // Called in a Pause.
    void set_state(QpState state) { state_.store(state, std::memory_order_release); }
    // Makes the home worker look at the queue pair soon. Any thread.
    void call_home() { port_.call(call_); }
    // Enters the error state; the home worker then flushes both queues. Any worker.
    void enter_error() {
        set_state(QpState::kError);
        call_home();
    }
    // Enters the error state by an error of the queue pair's CQ. False when the queue pair was in
    // that state already. Any worker.
    bool fail();
    // Enters the state in which only the sending has ended.
    void stop_sending();

    // Puts a completion into one of the queue pair's CQs; overflow is fatal to the queue pair.
    void complete_send(const Completion& completion) { complete(send_cq_, completion); }
    void complete_receive(const Completion& completion) { complete(recv_cq_, completion); }

    // The place among the queue pairs of its port that have something to do.
    QpLink& active() { return active_; }
    // The place among those that the home worker was called to.
    QpLink& call() { return call_; }

  private:
    void complete(CqContext& cq, const Completion& completion) {
        if (!cq.push(completion)) [[unlikely]] {
            cq_overflowed();
        }
    }
    void cq_overflowed();

    PortContext& port_;
    CqContext& send_cq_;
    CqContext& recv_cq_;
    const QpType type_;
    const uint32_t handle_;
    uint32_t number_ = 0;
    std::atomic<QpState> state_{QpState::kReset};
    rnic::QpAttributes attributes_;
    WindowOwner windows_;
    SendState send_;
    ReceiveState receive_;
    Traffic requested_;
    Traffic answered_;

    QpLink active_{*this};
    QpLink call_{*this};
};

}  // namespace vrdma::embedded
