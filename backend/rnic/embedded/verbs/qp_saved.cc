// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A queue pair in the state that a successor gets (state/device.proto).
#include "rnic/attributes_state.h"
#include "rnic/embedded/verbs/cq.h"
#include "rnic/embedded/verbs/qp.h"

namespace vrdma::embedded {
namespace {

void save_request(const ReceiveRequest& request, state::EmbeddedReceiveRequest& saved) {
    saved.set_wr_id(request.wr_id);
    for (const Sge& sge : request.list()) {
        state::EmbeddedSge& element = *saved.add_list();
        element.set_address(sge.address);
        element.set_length(sge.length);
        element.set_lkey(sge.key);
    }
}

Result<ReceiveRequest> restore_request(const state::EmbeddedReceiveRequest& saved) {
    if (static_cast<uint32_t>(saved.list_size()) > kMaxSge) {
        return fail(EINVAL);
    }
    ReceiveRequest request{};
    request.wr_id = saved.wr_id();
    for (const auto& element : saved.list()) {
        request.sges[request.sge_count++] = {element.address(), element.length(), element.lkey()};
        request.length += element.length();
    }
    return request;
}

void save_traffic(const Traffic& traffic, state::EmbeddedTraffic& saved) {
    for (size_t opcode = 0; opcode < Traffic::kEntries; ++opcode) {
        saved.add_messages(traffic.messages(static_cast<WrOpcode>(opcode)));
        saved.add_bytes(traffic.bytes(static_cast<WrOpcode>(opcode)));
    }
}

bool restore_traffic(const state::EmbeddedTraffic& saved, Traffic& traffic) {
    const auto count = static_cast<size_t>(saved.messages_size());
    if (count > Traffic::kEntries || saved.bytes_size() != saved.messages_size()) {
        return false;
    }
    for (size_t opcode = 0; opcode < count; ++opcode) {
        const auto index = static_cast<int>(opcode);
        traffic.add(opcode, saved.messages(index), saved.bytes(index));
    }
    return true;
}

}  // namespace

Result<void> Qp::save(state::Qp& qp) const {
    qp.set_handle(context_.handle());
    qp.set_qp_type(static_cast<uint32_t>(context_.type()));
    qp.set_sq_sig_all(context_.send().signals_all());
    rnic::QpAttributes attributes = context_.attributes();
    attributes.qp_state = static_cast<uint8_t>(context_.state());
    rnic::save_attributes(attributes, *qp.mutable_attributes());
    state::EmbeddedQp& saved = *qp.mutable_embedded();
    for (const rnic::Gid& group : groups_) {
        qp.add_groups(rnic::save_gid(group));
        saved.add_members(services_.fabric.groups().number_of(group, context_));
    }
    saved.set_number(context_.number());
    save_send(*saved.mutable_send());
    save_receive(*saved.mutable_receive());
    save_traffic(context_.requested(), *saved.mutable_requested());
    save_traffic(context_.answered(), *saved.mutable_answered());
    return {};
}

void Qp::save_send(state::EmbeddedSend& saved) const {
    const SendState& send = context_.send();
    RingPool::save(send.ring(), send.index(), *saved.mutable_ring());
    const SendState::Progress progress = send.progress();
    saved.set_in_progress(progress.in_progress);
    saved.set_opened_at_peer(progress.opened_at_peer);
    saved.set_done(progress.done);
    saved.set_next_member(progress.next_member);
    saved.set_timeouts(progress.timeouts);
    saved.set_rnr_naks(progress.rnr_naks);
    saved.set_drain_reported(progress.drain_reported);
    saved.set_is_waiting(send.is_waiting());
    saved.set_deadline_in(send.is_waiting() ? services_.worker.time_left_ns(context_) : 0);
}

void Qp::save_receive(state::EmbeddedReceive& saved) const {
    const ReceiveState& receive = context_.receive();
    if (!receive.has_srq()) {
        RingPool::save(receive.ring(), receive.index(), *saved.mutable_ring());
    }
    const ReceiveState::Progress progress = receive.progress();
    saved.set_last_wqe_reported(progress.last_wqe_reported);
    saved.set_established(progress.established);
    if (progress.open) {
        save_request(*progress.open, *saved.mutable_open());
    }
    saved.set_messages(progress.messages);
    saved.set_bytes(progress.bytes);
}

Result<std::unique_ptr<Qp>> Qp::restore(const PortServices& services, const RingPool& rings,
                                        const rnic::Context::QpInit& pointers,
                                        const state::Qp& saved) {
    auto attributes = rnic::restore_attributes(saved.attributes());
    if (!saved.has_embedded() || !attributes || saved.handle() >= VRDMA_DB_MAX_HANDLES ||
        saved.qp_type() < static_cast<uint32_t>(QpType::kGsi) ||
        saved.qp_type() > static_cast<uint32_t>(QpType::kUd) ||
        attributes->qp_state > static_cast<uint8_t>(QpState::kError)) {
        return fail(EINVAL);
    }
    if (services.port.has_qp(saved.handle())) {
        return fail(EEXIST);
    }
    rnic::Context::QpInit init = pointers;
    init.qp_type = static_cast<uint8_t>(saved.qp_type());
    init.sq_sig_all = saved.sq_sig_all();
    init.cap = attributes->cap;
    if (init.pd == nullptr || init.send_cq == nullptr || init.recv_cq == nullptr) {
        return fail(EINVAL);
    }
    if (auto checked = check_capabilities(init, services.quota.limits()); !checked) {
        return fail(checked.error());
    }
    auto own_rings = restore_rings(services.quota.limits(), rings, init, saved.embedded());
    if (!own_rings) {
        return fail(own_rings.error());
    }
    auto count = services.quota.take(&Usage::queue_pairs, services.quota.limits().max_qp);
    if (!count) {
        return fail(count.error());
    }
    attributes->cap = init.cap;
    std::unique_ptr<Qp> qp(
        new Qp(services, saved.handle(), init, std::move(*own_rings), std::move(*count)));
    if (auto restored = qp->go_on(*attributes, saved); !restored) {
        return fail(restored.error());
    }
    return qp;
}

// Capabilities are as create_rings() makes them, of which the elements' sizes follow.
Result<Qp::Rings> Qp::restore_rings(const EmbeddedLimits& limits, const RingPool& rings,
                                    rnic::Context::QpInit& init, const state::EmbeddedQp& saved) {
    auto send = rings.restore(saved.send().ring(), limits.max_qp_wr, send_element_size(init.cap));
    if (!send) {
        return fail(send.error());
    }
    std::optional<RingPool::CountedRing> receive;
    if (init.srq == nullptr) {
        auto ring =
            rings.restore(saved.receive().ring(), limits.max_qp_wr, receive_element_size(init.cap));
        if (!ring) {
            return fail(ring.error());
        }
        init.cap.max_recv_wr = ring->ring.mask();
        receive.emplace(std::move(*ring));
    }
    settle_send_capabilities(init.cap, send->ring.mask());
    return Rings{std::move(*send), std::move(receive)};
}

// The state is the last that is set: until then the queue pair does nothing.
Result<void> Qp::go_on(const rnic::QpAttributes& attributes, const state::Qp& saved) {
    const state::EmbeddedQp& embedded = saved.embedded();
    const state::EmbeddedReceive& receive = embedded.receive();
    ReceiveState::Progress received{.established = receive.established(),
                                    .last_wqe_reported = receive.last_wqe_reported(),
                                    .open = std::nullopt,
                                    .messages = receive.messages(),
                                    .bytes = receive.bytes()};
    if (receive.has_open()) {
        auto request = restore_request(receive.open());
        if (!request) {
            return fail(request.error());
        }
        received.open = *request;
    }
    if (saved.groups_size() != embedded.members_size() ||
        (saved.groups_size() != 0 && context_.type() != QpType::kUd)) {
        return fail(EINVAL);
    }
    {
        PortContext::QpRoom room = services_.port.make_room_for_qp(context_.handle());
        const GuestGate::Pause pause(services_.gate);
        if (auto numbered = take_number_again(embedded.number()); !numbered) {
            return numbered;
        }
        services_.port.add_qp(context_.handle(), context_, room);
    }
    for (int n = 0; n < saved.groups_size(); ++n) {
        if (auto joined = rejoin(saved.groups(n), embedded.members(n)); !joined) {
            return joined;
        }
    }
    const GuestGate::Pause pause(services_.gate);
    if (!restore_traffic(embedded.requested(), context_.requested()) ||
        !restore_traffic(embedded.answered(), context_.answered())) {
        return fail(EINVAL);
    }
    const state::EmbeddedSend& send = embedded.send();
    context_.set_attributes(attributes);
    context_.receive().go_on(received);
    context_.send().go_on({.in_progress = send.in_progress(),
                           .opened_at_peer = send.opened_at_peer(),
                           .done = send.done(),
                           .next_member = send.next_member(),
                           .timeouts = send.timeouts(),
                           .rnr_naks = send.rnr_naks(),
                           .drain_reported = send.drain_reported()},
                          context_.type());
    context_.set_state(static_cast<QpState>(attributes.qp_state));
    if (send.is_waiting() && context_.state() == QpState::kReadyToSend) {
        services_.worker.wait_again(context_, send.deadline_in());
    } else if (context_.state() >= QpState::kReadyToSend) {
        // Whatever is posted, is to be flushed or was rung for before.
        context_.call_home();
    }
    return {};
}

Result<void> Qp::take_number_again(uint32_t number) {
    if (context_.type() == QpType::kGsi) {
        if (number != kGsiQpNumber) {
            return fail(EINVAL);
        }
        if (services_.port.gsi() != nullptr) {
            return fail(EEXIST);
        }
        services_.port.set_gsi(&context_);
    } else if (auto inserted = services_.fabric.qps().insert_at(number, context_); !inserted) {
        return inserted;
    }
    context_.set_number(number);
    return {};
}

Result<void> Qp::rejoin(const std::string& group, uint64_t member) {
    const auto gid = rnic::restore_gid(group);
    if (!gid) {
        return fail(EINVAL);
    }
    groups_.reserve(groups_.size() + 1);
    const GuestGate::Pause pause(services_.gate);
    auto attached = services_.fabric.groups().attach_at(*gid, context_, services_.port, member);
    if (attached) {
        groups_.push_back(*gid);
    }
    return attached;
}

}  // namespace vrdma::embedded
