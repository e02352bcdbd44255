// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "hostile/honest_pair.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "rnic/verbs_abi.h"

namespace vrdma::hostile {
namespace {

using namespace rnic::verbs_abi;
using embedded::Sge;
using embedded::test::ClientCq;
using embedded::test::ClientRing;
using embedded::test::SendWr;

constexpr uint64_t kIova = 0x7f0000000000;
constexpr uint32_t kAccess = kAccessLocalWrite | kAccessRemoteWrite | kAccessRemoteRead;
constexpr uint32_t kInline = 64;
// How often a waiter looks before it arms the CQ and sleeps.
constexpr int kLooks = 64;

}  // namespace

HonestGuest::HonestGuest(const std::string& socket, uint8_t address, bool packed)
    : machine_(socket, {.packed = packed}), gid_(embedded::test::Guest::gid_of(address)) {
    machine_.backend_requests().serve(machine_.shm_region());
    machine_.start();
    verbs_.map_doorbells();
    verbs_.add_gid(0, gid_);
    uctx_ = verbs_.alloc_ucontext();
    const uint32_t pd = verbs_.alloc_pd(uctx_);
    memory_ = machine_.memory().allocate(kMemory, 4096);
    mr_ = verbs_.reg_mr(uctx_, pd, memory_, kMemory, kIova, kAccess);
    for (ClientCq* cq : {&send_cq, &recv_cq}) {
        const auto made = verbs_.create_cq(uctx_, 63, 0);
        cq->handle = made.handle;
        cq->ring = ClientRing(verbs_.header(made.ring));
        cq->area = &verbs_.doorbells();
    }
    qp_ = verbs_.create_qp(uctx_, {.pd = pd,
                                   .send_cq = send_cq.handle,
                                   .recv_cq = recv_cq.handle,
                                   .type = static_cast<uint8_t>(QpType::kRc),
                                   .send_wr = 15,
                                   .recv_wr = 15,
                                   .sge = 2,
                                   .inline_data = kInline});
    client_.send_ring = ClientRing(verbs_.header(qp_.send));
    client_.recv_ring = ClientRing(verbs_.header(qp_.receive));
    client_.handle = qp_.handle;
}

void HonestGuest::connect(const HonestGuest& peer) {
    vrdma_qp_attr attr{};
    attr.port = 1;
    attr.qp_access_flags = htole32(kAccess);
    attr.qp_state = static_cast<uint8_t>(QpState::kInit);
    verbs_.modify_qp(uctx_, qp_.handle, kAttrState | kAttrPkeyIndex | kAttrPort | kAttrAccessFlags,
                     attr);
    attr.qp_state = static_cast<uint8_t>(QpState::kReadyToReceive);
    attr.path_mtu = kMtu4096;
    attr.dest_qp_num = htole32(peer.qp_.number);
    attr.max_dest_rd_atomic = 4;
    attr.min_rnr_timer = 1;
    attr.ah.port = 1;
    attr.ah.hop_limit = 64;
    std::ranges::copy(peer.gid_, attr.ah.dgid);
    verbs_.modify_qp(uctx_, qp_.handle,
                     kAttrState | kAttrAddressVector | kAttrPathMtu | kAttrDestQpn | kAttrRqPsn |
                         kAttrMaxDestRdAtomic | kAttrMinRnrTimer,
                     attr);
    attr.qp_state = static_cast<uint8_t>(QpState::kReadyToSend);
    attr.timeout = 18;
    attr.retry_cnt = 7;
    attr.rnr_retry = 7;
    attr.max_rd_atomic = 4;
    verbs_.modify_qp(
        uctx_, qp_.handle,
        kAttrState | kAttrSqPsn | kAttrTimeout | kAttrRetryCount | kAttrRnrRetry | kAttrMaxRdAtomic,
        attr);
}

std::span<std::byte> HonestGuest::memory() {
    return {machine_.memory().host(memory_, kMemory), kMemory};
}

Sge HonestGuest::sge(uint64_t offset, uint32_t length) const {
    return {kIova + offset, length, mr_.lkey};
}

void HonestGuest::post_send(const SendWr& wr) {
    if (!client_.enqueue_send(wr)) {
        throw std::runtime_error("a send queue is full that should be empty");
    }
    verbs_.ring(verbs_.doorbells().qp, qp_.handle);
}

void HonestGuest::post_recv(uint64_t wr_id, uint64_t offset, uint32_t length) {
    if (!client_.post_recv(wr_id, std::array{sge(offset, length)})) {
        throw std::runtime_error("a receive queue is full that should be empty");
    }
}

// As vrdma_doorbell.h says of a device without VRDMA_F_CQ_DOORBELL.
void HonestGuest::arm(ClientCq& cq) {
    std::atomic_ref word(cq.area->cq_arm[cq.handle]);
    if ((word.exchange(htole32(VRDMA_CQ_ARM_NEXT)) & htole32(VRDMA_CQ_MISSED_NEXT)) != 0) {
        verbs_.ring(cq.area->cq, cq.handle);
    }
}

void HonestGuest::wait(ClientCq& cq, uint64_t wr_id) {
    auto wc = cq.poll();
    for (int looks = 0; !wc && looks < kLooks; ++looks) {
        std::this_thread::yield();
        wc = cq.poll();
    }
    while (!wc) {
        arm(cq);
        wc = cq.poll();
        if (!wc) {
            machine_.wait_completion(0);
            wc = cq.poll();
        }
    }
    if (wc->wr_id != wr_id || wc->status != 0) {
        throw std::runtime_error(fmt::format("work request {} instead of {} ended with status {}",
                                             wc->wr_id, wr_id, wc->status));
    }
}

HonestPair::HonestPair(const std::string& name, const std::string& socket,
                       const std::string& peer_socket, uint8_t address, uint64_t seed)
    : name_(name),
      choices_(seed),
      a_(socket, address, choices_.one_in(2)),
      b_(peer_socket, static_cast<uint8_t>(address + 1), choices_.one_in(2)) {
    a_.connect(b_);
    b_.connect(a_);
}

void HonestPair::transfer() {
    const bool swap = choices_.one_in(2);
    HonestGuest& from = swap ? b_ : a_;
    HonestGuest& to = swap ? a_ : b_;
    const auto opcode = choices_.pick({WrOpcode::kRdmaWrite, WrOpcode::kRdmaRead, WrOpcode::kSend,
                                       WrOpcode::kRdmaWriteWithImmediate});
    const auto length = static_cast<uint32_t>(
        1 + choices_.below(choices_.pick<uint64_t>({16, kInline, 4096, 65536})));
    const uint64_t local = choices_.below(HonestGuest::kMemory - length);
    const uint64_t remote = choices_.below(HonestGuest::kMemory - length);
    const bool read = opcode == WrOpcode::kRdmaRead;
    HonestGuest& source = read ? to : from;
    HonestGuest& target = read ? from : to;
    const auto sent = source.memory().subspan(read ? remote : local, length);
    const auto arrived = target.memory().subspan(read ? local : remote, length);
    choices_.fill(sent);
    std::ranges::fill(arrived, ~sent.front());

    const uint64_t wr_id = choices_.number();
    SendWr wr{.wr_id = wr_id,
              .opcode = opcode,
              .remote_address = kIova + remote,
              .rkey = to.rkey(),
              .sges = {from.sge(local, length)}};
    if (!read && length <= kInline && choices_.one_in(2)) {
        wr.flags |= kSendInline;
        wr.inline_data = sent;
        wr.sges.clear();
    }
    const bool receives = opcode == WrOpcode::kSend || opcode == WrOpcode::kRdmaWriteWithImmediate;
    if (receives) {
        to.post_recv(~wr_id, remote, length);
    }
    from.post_send(wr);
    from.wait(from.send_cq, wr_id);
    if (receives) {
        to.wait(to.recv_cq, ~wr_id);
    }
    if (!std::ranges::equal(sent, arrived)) {
        throw std::runtime_error(fmt::format("{} bytes of opcode {} arrived wrong", length,
                                             static_cast<uint32_t>(opcode)));
    }
    ++transfers_;
    bytes_ += length;
}

}  // namespace vrdma::hostile
