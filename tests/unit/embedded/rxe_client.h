// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Plays a guest: maps the rings of an RNIC that speaks rxe's user ABI, posts and
// polls as librxe does, rings doorbells as the guest driver does.
#pragma once

#include <vrdma_doorbell.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "memory/mapping.h"
#include "rnic/embedded/rings/rxe_abi.h"
#include "rnic/embedded/rings/work_request.h"
#include "rnic/rnic.h"
#include "support/recording_sink.h"

namespace vrdma::embedded::test {

// A ring as the guest process has it mapped.
class ClientRing {
  public:
    ClientRing() = default;
    ClientRing(rnic::Context& context, const mminfo& info);
    // A ring that somebody else has mapped, and keeps mapped.
    explicit ClientRing(rxe_queue_buf* header);

    bool mapped() const { return header_ != nullptr; }
    rxe_queue_buf* header() const { return header_; }
    uint32_t mask() const { return mask_; }

    // Producer's side.
    bool full() const;
    std::byte* back() const;
    void push();
    // Consumer's side.
    bool empty() const;
    const std::byte* front() const;
    void pop();

    std::byte* element(uint32_t index) const;

  private:
    std::byte* map(int fd, uint64_t offset, uint64_t length);

    memory::Mapping mapping_;
    rxe_queue_buf* header_ = nullptr;
    uint32_t mask_ = 0;
    uint32_t shift_ = 0;
};

struct SendWr {
    uint64_t wr_id = 0;
    WrOpcode opcode = WrOpcode::kSend;
    uint32_t flags = kSendSignaled;
    uint32_t immediate = 0;  // or the key to invalidate
    uint64_t remote_address = 0;
    uint32_t rkey = 0;
    uint64_t compare_or_add = 0;
    uint64_t swap = 0;
    uint32_t remote_qpn = 0;
    uint32_t remote_qkey = 0;
    uint32_t ah_number = 0;
    std::optional<rnic::AhAttributes> address = {};  // in the request itself, for ah_number 0
    struct {
        uint64_t length = 0;
        uint32_t lkey = 0;
        uint32_t window = 0;  // its key now; rkey is to be
        uint32_t access = 0;
    } bind = {};
    uint32_t reg_access = 0;  // REG_MR, of rkey
    std::vector<Sge> sges = {};
    std::span<const std::byte> inline_data = {};
};

// Writes a work request into a ring's element, as librxe lays it out.
void write_send_wqe(std::byte* element, const SendWr& wr, bool datagram = false);
void write_recv_wqe(std::byte* element, uint64_t wr_id, std::span<const Sge> sges);

class Guest;

class ClientMr {
  public:
    uint32_t lkey() const { return object->lkey(); }
    uint32_t rkey() const { return object->rkey(); }
    Sge sge(uint64_t offset, uint32_t length) const { return {iova + offset, length, lkey()}; }

    std::unique_ptr<rnic::MemoryRegion> object;
    uint64_t iova = 0;
};

class ClientCq {
  public:
    std::optional<ib_uverbs_wc> poll();
    // As the guest's driver does it, while no worker completes anything: VRDMA_CQ_ARM_*.
    void arm(uint32_t how) const;

    std::unique_ptr<rnic::CompletionQueue> object;
    ClientRing ring;
    uint32_t handle = 0;
    vrdma_doorbell_area* area = nullptr;
};

class ClientSrq {
  public:
    // False when the queue is full.
    bool post(uint64_t wr_id, std::span<const Sge> sges);

    std::unique_ptr<rnic::SharedReceiveQueue> object;
    ClientRing ring;
    uint32_t handle = 0;
};

class ClientQp {
  public:
    // False when the queue is full.  The doorbell is not rung.
    bool enqueue_send(const SendWr& wr);
    bool post_recv(uint64_t wr_id, std::span<const Sge> sges);
    void ring_doorbell() const;
    bool post_send(const SendWr& wr) {
        const bool room = enqueue_send(wr);
        ring_doorbell();
        return room;
    }
    uint32_t number() const { return object->qp_num(); }
    Result<void> modify(uint32_t mask, const rnic::QpAttributes& attributes) const;
    rnic::QpAttributes query() const { return object->query().value(); }
    QpState state() const { return static_cast<QpState>(query().qp_state); }

    std::unique_ptr<rnic::QueuePair> object;
    ClientRing send_ring;
    ClientRing recv_ring;
    rnic::QpCapabilities cap;
    uint32_t handle = 0;
    QpType type = QpType::kRc;
    vrdma_doorbell_area* area = nullptr;
    Guest* guest = nullptr;
};

class ClientAh {
  public:
    std::unique_ptr<rnic::AddressHandle> object;
    uint32_t number = 0;
};

struct QpOptions {
    QpType type = QpType::kRc;
    uint32_t send_wr = 15;
    uint32_t recv_wr = 15;
    uint32_t sge = 4;
    uint32_t inline_data = 64;
    bool signal_all = false;
};

struct ConnectOptions {
    uint32_t access = kAccessRemoteWrite | kAccessRemoteRead | kAccessRemoteAtomic;
    uint8_t min_rnr_timer = 1;
    uint8_t timeout = 1;
    uint8_t retry_cnt = 2;
    uint8_t rnr_retry = 2;
    uint8_t max_rd_atomic = 4;
    uint8_t max_dest_rd_atomic = 4;
    uint32_t qkey = 0x1234;
};

// One virtual device with one user process in it.
class Guest {
  public:
    // `address` makes its GID, ::ffff:10.0.0.<address>.
    Guest(rnic::Rnic& rnic, const std::string& name, uint8_t address);
    ~Guest();

    static rnic::Gid gid_of(uint8_t address);
    const rnic::Gid& gid() const { return gid_; }

    std::unique_ptr<rnic::ProtectionDomain> make_pd();
    rnic::ProtectionDomain& pd() { return *pd_; }
    const rnic::ProtectionDomain& pd() const { return *pd_; }
    std::unique_ptr<rnic::ProtectionDomain> exchange_pd(
        std::unique_ptr<rnic::ProtectionDomain> pd) {
        return std::exchange(pd_, std::move(pd));
    }

    // Registers `memory` in one piece, or in the pieces given, at iova.
    ClientMr reg_mr(std::span<std::byte> memory, uint32_t access, uint64_t iova = kIova,
                    rnic::ProtectionDomain* pd = nullptr);
    ClientMr reg_mr(const std::vector<std::span<std::byte>>& pieces, uint32_t access,
                    uint64_t iova = kIova, rnic::ProtectionDomain* pd = nullptr);
    // All that port->set_memory() was told.
    ClientMr get_dma_mr(uint32_t access, uint64_t base);
    ClientCq make_cq(uint32_t cqe, uint32_t comp_vector = 0);
    ClientSrq make_srq(uint32_t max_wr, uint32_t max_sge, rnic::ProtectionDomain* pd = nullptr);
    ClientQp make_qp(ClientCq& send_cq, ClientCq& recv_cq, const QpOptions& options = {},
                     ClientSrq* srq = nullptr, rnic::ProtectionDomain* pd = nullptr);
    ClientAh make_ah(const rnic::Gid& to, rnic::ProtectionDomain* pd = nullptr);

    // The address vector that leads to `to`.
    rnic::AhAttributes path_to(const rnic::Gid& to) const;

    static constexpr uint64_t kIova = 0x7f0000000000;

    vrdma::test::RecordingSink sink;
    std::unique_ptr<vrdma_doorbell_area, decltype(&std::free)> area;
    std::unique_ptr<rnic::Port> port;
    std::unique_ptr<rnic::Context> context;

  private:
    rnic::Gid gid_;
    std::unique_ptr<rnic::ProtectionDomain> pd_;
    uint32_t next_handle_ = 1;
};

// Attributes of the usual steps to RTS.
void to_init(ClientQp& qp, const ConnectOptions& options = {});
void to_rtr(ClientQp& qp, const rnic::Gid& gid, uint32_t qpn, const ConnectOptions& options = {});
void to_rts(ClientQp& qp, const ConnectOptions& options = {});
void connect(ClientQp& qp, const rnic::Gid& gid, uint32_t qpn, const ConnectOptions& options = {});
void connect(ClientQp& a, ClientQp& b, const ConnectOptions& options = {});

}  // namespace vrdma::embedded::test
