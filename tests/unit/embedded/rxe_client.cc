// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rxe_client.h"

#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "memory/guest_access.h"

namespace vrdma::embedded::test {
namespace {

template <typename T>
T must(Result<T> result, const char* what) {
    if (!result) {
        throw std::runtime_error(std::string(what) + ": " + to_string(result.error()));
    }
    if constexpr (!std::is_void_v<T>) {
        return std::move(*result);
    }
}

// Udata with room for one response structure.
template <typename T>
struct Response {
    T value{};
    rnic::Udata udata{.in = {}, .out = std::as_writable_bytes(std::span(&value, 1))};
};

void or_into(__le64* word, uint64_t bit) {
    std::atomic_ref<__le64>(*word).fetch_or(bit, std::memory_order_seq_cst);
}

}  // namespace

ClientRing::ClientRing(rnic::Context& context, const mminfo& info) {
    const auto source = must(context.mmap(info.offset, info.size), "mmap");
    header_ = reinterpret_cast<rxe_queue_buf*>(map(source.fd, source.offset, info.size));
    mask_ = header_->index_mask;
    shift_ = header_->log2_elem_size;
}

ClientRing::ClientRing(rxe_queue_buf* header)
    : header_(header), mask_(header->index_mask), shift_(header->log2_elem_size) {}

#ifdef __SANITIZE_THREAD__
// ThreadSanitizer tells memory apart by address, so the ring must be used where the
// RNIC has it: one of the mappings of the file that are there already.
std::byte* ClientRing::map(int fd, uint64_t offset, uint64_t) {
    struct stat file;
    if (::fstat(fd, &file) != 0) {
        throw std::runtime_error("fstat");
    }
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        // The rings are mapped in parts.
        unsigned long start, end, from, inode;
        if (std::sscanf(line.c_str(), "%lx-%lx %*s %lx %*s %lu", &start, &end, &from, &inode) ==
                4 &&
            inode == file.st_ino && offset >= from && offset - from < end - start) {
            return reinterpret_cast<std::byte*>(start) + (offset - from);
        }
    }
    throw std::runtime_error("ring memory is not mapped");
}
#else
std::byte* ClientRing::map(int fd, uint64_t offset, uint64_t length) {
    mapping_ = must(memory::Mapping::map(fd, offset, length), "map");
    return mapping_.data();
}
#endif

std::byte* ClientRing::element(uint32_t index) const {
    return reinterpret_cast<std::byte*>(header_) + sizeof(rxe_queue_buf) +
           (size_t{index & mask_} << shift_);
}

bool ClientRing::full() const {
    const uint32_t consumer = memory::load(&header_->consumer_index, std::memory_order_acquire);
    return consumer == ((header_->producer_index + 1) & mask_);
}

std::byte* ClientRing::back() const {
    return element(header_->producer_index);
}

void ClientRing::push() {
    memory::store(&header_->producer_index, (header_->producer_index + 1) & mask_,
                  std::memory_order_release);
}

bool ClientRing::empty() const {
    return memory::load(&header_->producer_index, std::memory_order_acquire) ==
           header_->consumer_index;
}

const std::byte* ClientRing::front() const {
    return element(header_->consumer_index);
}

void ClientRing::pop() {
    memory::store(&header_->consumer_index, (header_->consumer_index + 1) & mask_,
                  std::memory_order_release);
}

void write_send_wqe(std::byte* element, const SendWr& wr, bool datagram) {
    rxe_send_wr head{};
    head.wr_id = wr.wr_id;
    head.opcode = static_cast<uint32_t>(wr.opcode);
    head.send_flags = wr.flags;
    head.ex.imm_data = wr.immediate;
    if (datagram) {
        head.wr.ud.remote_qpn = wr.remote_qpn;
        head.wr.ud.remote_qkey = wr.remote_qkey;
        head.wr.ud.ah_num = wr.ah_number;
        if (wr.address) {
            rxe_av& av = head.wr.ud.av;
            av.port_num = wr.address->port;
            std::memcpy(av.grh.dgid.raw, wr.address->dgid.data(), wr.address->dgid.size());
            av.grh.flow_label = wr.address->flow_label;
            av.grh.sgid_index = wr.address->sgid_index;
            av.grh.hop_limit = wr.address->hop_limit;
            av.grh.traffic_class = wr.address->traffic_class;
        }
    } else if (wr.opcode == WrOpcode::kRegisterMr) {
        const vrdma_wr_reg reg{
            .reserved = 0, .key = htole32(wr.rkey), .access = htole32(wr.reg_access)};
        std::memcpy(&head.wr, &reg, sizeof(reg));
    } else if (wr.opcode == WrOpcode::kBindWindow) {
        head.wr.mw.addr = wr.remote_address;
        head.wr.mw.length = wr.bind.length;
        head.wr.mw.mr_lkey = wr.bind.lkey;
        head.wr.mw.mw_rkey = wr.bind.window;
        head.wr.mw.rkey = wr.rkey;
        head.wr.mw.access = wr.bind.access;
    } else if (is_atomic(wr.opcode)) {
        head.wr.atomic.remote_addr = wr.remote_address;
        head.wr.atomic.compare_add = wr.compare_or_add;
        head.wr.atomic.swap = wr.swap;
        head.wr.atomic.rkey = wr.rkey;
    } else {
        head.wr.rdma.remote_addr = wr.remote_address;
        head.wr.rdma.rkey = wr.rkey;
    }
    std::memcpy(element, &head, sizeof(head));

    std::byte* payload = element + kSendWqeHeadSize;
    uint32_t length = 0;
    if ((wr.flags & kSendInline) != 0) {
        std::memcpy(payload, wr.inline_data.data(), wr.inline_data.size());
        length = static_cast<uint32_t>(wr.inline_data.size());
    } else if (!wr.sges.empty()) {
        std::memcpy(payload, wr.sges.data(), wr.sges.size() * sizeof(Sge));
        for (const Sge& sge : wr.sges) {
            length += sge.length;
        }
    }
    const std::array<uint32_t, 6> dma{length, length, 0, static_cast<uint32_t>(wr.sges.size()),
                                      0,      0};
    std::memcpy(element + offsetof(rxe_send_wqe, dma), dma.data(), sizeof(dma));
}

void write_recv_wqe(std::byte* element, uint64_t wr_id, std::span<const Sge> sges) {
    std::memcpy(element, &wr_id, sizeof(wr_id));
    std::memcpy(element + kRecvWqeHeadSize, sges.data(), sges.size_bytes());
    uint32_t length = 0;
    for (const Sge& sge : sges) {
        length += sge.length;
    }
    const std::array<uint32_t, 6> dma{length, length, 0, static_cast<uint32_t>(sges.size()), 0, 0};
    std::memcpy(element + offsetof(rxe_recv_wqe, dma), dma.data(), sizeof(dma));
}

std::optional<ib_uverbs_wc> ClientCq::poll() {
    if (ring.empty()) {
        return std::nullopt;
    }
    ib_uverbs_wc wc;
    std::memcpy(&wc, ring.front(), sizeof(wc));
    ring.pop();
    return wc;
}

namespace {

void ring_in(vrdma_doorbell_bitmap& bitmap, uint32_t handle) {
    or_into(&bitmap.bits[handle / 64], uint64_t{1} << handle % 64);
    or_into(&bitmap.summary[handle / 4096], uint64_t{1} << handle / 64 % 64);
    or_into(&bitmap.root, uint64_t{1} << handle / 4096);
}

}  // namespace

void ClientCq::arm(uint32_t how) const {
    __le32* const word = &area->cq_arm[handle];
    const __le32 old = memory::load(word, std::memory_order_seq_cst);
    __le32 next = how;
    __le32 missed = VRDMA_CQ_MISSED_NEXT;
    if (how == VRDMA_CQ_ARM_SOLICITED) {
        next = (old & VRDMA_CQ_ARM_NEXT) != 0 ? old : (old & VRDMA_CQ_MISSED_NEXT) | how;
        missed = VRDMA_CQ_MISSED_SOLICITED;
    }
    memory::store(word, next, std::memory_order_seq_cst);
    if ((old & missed) != 0) {
        ring_in(area->cq, handle);
    }
}

bool ClientSrq::post(uint64_t wr_id, std::span<const Sge> sges) {
    if (ring.full()) {
        return false;
    }
    write_recv_wqe(ring.back(), wr_id, sges);
    ring.push();
    return true;
}

bool ClientQp::enqueue_send(const SendWr& wr) {
    if (send_ring.full()) {
        return false;
    }
    write_send_wqe(send_ring.back(), wr, is_datagram(type));
    send_ring.push();
    return true;
}

bool ClientQp::post_recv(uint64_t wr_id, std::span<const Sge> sges) {
    if (recv_ring.full()) {
        return false;
    }
    write_recv_wqe(recv_ring.back(), wr_id, sges);
    recv_ring.push();
    return true;
}

void ClientQp::ring_doorbell() const {
    ring_in(area->qp, handle);
}

Result<void> ClientQp::modify(uint32_t mask, const rnic::QpAttributes& attributes) const {
    rnic::Udata udata;
    return object->modify(mask, attributes, udata);
}

rnic::Gid Guest::gid_of(uint8_t address) {
    return {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, address};
}

Guest::Guest(rnic::Rnic& rnic, const std::string& name, uint8_t address)
    : area(static_cast<vrdma_doorbell_area*>(
               std::aligned_alloc(4096, (sizeof(vrdma_doorbell_area) + 4095) / 4096 * 4096)),
           &std::free),
      gid_(gid_of(address)) {
    std::memset(area.get(), 0, sizeof(vrdma_doorbell_area));
    port = must(rnic.open_port(name, sink), "open_port");
    port->set_doorbells(area.get(), -1);
    must(port->add_gid(0, gid_, 2), "add_gid");
    rnic::Udata udata;
    context = must(port->alloc_context(udata), "alloc_context");
    pd_ = make_pd();
}

Guest::~Guest() {
    pd_.reset();
    context.reset();
    port.reset();
}

std::unique_ptr<rnic::ProtectionDomain> Guest::make_pd() {
    rnic::Udata udata;
    return must(context->alloc_pd(udata), "alloc_pd");
}

ClientMr Guest::reg_mr(std::span<std::byte> memory, uint32_t access, uint64_t iova,
                       rnic::ProtectionDomain* pd) {
    return reg_mr(std::vector{memory}, access, iova, pd);
}

ClientMr Guest::reg_mr(const std::vector<std::span<std::byte>>& pieces, uint32_t access,
                       uint64_t iova, rnic::ProtectionDomain* pd) {
    rnic::MrAttributes attributes;
    attributes.start = {iova};
    attributes.iova = {iova};
    attributes.access = access;
    for (const auto& piece : pieces) {
        attributes.length += piece.size();
        attributes.pieces.push_back({{piece.data(), piece.size()}, nullptr});
    }
    rnic::Udata udata;
    ClientMr mr;
    mr.object = must(context->reg_mr(pd != nullptr ? *pd : *pd_, attributes, udata), "reg_mr");
    mr.iova = iova;
    return mr;
}

ClientMr Guest::get_dma_mr(uint32_t access, uint64_t base) {
    ClientMr mr;
    mr.object = must(context->get_dma_mr(*pd_, {.base = base, .access = access}), "get_dma_mr");
    mr.iova = base;
    return mr;
}

ClientCq Guest::make_cq(uint32_t cqe, uint32_t comp_vector) {
    Response<rxe_create_cq_resp> response;
    rnic::CqAttributes attributes{.cqe = cqe, .comp_vector = comp_vector, .flags = 0};
    ClientCq cq;
    cq.handle = next_handle_++;
    cq.object = must(context->create_cq(cq.handle, attributes, response.udata), "create_cq");
    cq.ring = ClientRing(*context, response.value.mi);
    cq.area = area.get();
    return cq;
}

ClientSrq Guest::make_srq(uint32_t max_wr, uint32_t max_sge, rnic::ProtectionDomain* pd) {
    Response<rxe_create_srq_resp> response;
    rnic::SrqAttributes attributes{.max_wr = max_wr, .max_sge = max_sge, .srq_limit = 0};
    ClientSrq srq;
    srq.handle = next_handle_++;
    srq.object = must(
        context->create_srq(srq.handle, pd != nullptr ? *pd : *pd_, attributes, response.udata),
        "create_srq");
    srq.ring = ClientRing(*context, response.value.mi);
    return srq;
}

ClientQp Guest::make_qp(ClientCq& send_cq, ClientCq& recv_cq, const QpOptions& options,
                        ClientSrq* srq, rnic::ProtectionDomain* pd) {
    Response<rxe_create_qp_resp> response;
    rnic::Context::QpInit init;
    init.pd = pd != nullptr ? pd : pd_.get();
    init.send_cq = send_cq.object.get();
    init.recv_cq = recv_cq.object.get();
    init.srq = srq != nullptr ? srq->object.get() : nullptr;
    init.qp_type = static_cast<uint8_t>(options.type);
    init.sq_sig_all = options.signal_all;
    init.cap = {options.send_wr, options.recv_wr, options.sge, options.sge, options.inline_data};
    ClientQp qp;
    qp.handle = next_handle_++;
    qp.object = must(context->create_qp(qp.handle, init, response.udata), "create_qp");
    qp.send_ring = ClientRing(*context, response.value.sq_mi);
    if (srq == nullptr) {
        qp.recv_ring = ClientRing(*context, response.value.rq_mi);
    }
    qp.cap = init.cap;
    qp.type = options.type;
    qp.area = area.get();
    qp.guest = this;
    return qp;
}

rnic::AhAttributes Guest::path_to(const rnic::Gid& to) const {
    rnic::AhAttributes ah;
    ah.dgid = to;
    ah.port = 1;
    ah.hop_limit = 64;
    return ah;
}

ClientAh Guest::make_ah(const rnic::Gid& to, rnic::ProtectionDomain* pd) {
    Response<rxe_create_ah_resp> response;
    ClientAh ah;
    ah.object = must(context->create_ah(pd != nullptr ? *pd : *pd_, path_to(to), response.udata),
                     "create_ah");
    ah.number = response.value.ah_num;
    return ah;
}

void to_init(ClientQp& qp, const ConnectOptions& options) {
    rnic::QpAttributes a;
    a.qp_state = static_cast<uint8_t>(QpState::kInit);
    a.port = 1;
    a.qp_access_flags = options.access;
    a.qkey = options.qkey;
    const uint32_t port = qp.type == QpType::kGsi ? 0 : kAttrPort;
    const uint32_t specific = is_datagram(qp.type) ? kAttrQkey : kAttrAccessFlags;
    must(qp.modify(kAttrState | kAttrPkeyIndex | port | specific, a), "to INIT");
}

void to_rtr(ClientQp& qp, const rnic::Gid& gid, uint32_t qpn, const ConnectOptions& options) {
    rnic::QpAttributes a;
    a.qp_state = static_cast<uint8_t>(QpState::kReadyToReceive);
    a.path_mtu = kMtu4096;
    a.dest_qp_num = qpn;
    a.ah = qp.guest->path_to(gid);
    a.max_dest_rd_atomic = options.max_dest_rd_atomic;
    a.min_rnr_timer = options.min_rnr_timer;
    uint32_t mask = kAttrState;
    if (!is_datagram(qp.type)) {
        mask |= kAttrAddressVector | kAttrPathMtu | kAttrDestQpn | kAttrRqPsn;
    }
    if (qp.type == QpType::kRc) {
        mask |= kAttrMaxDestRdAtomic | kAttrMinRnrTimer;
    }
    must(qp.modify(mask, a), "to RTR");
}

void to_rts(ClientQp& qp, const ConnectOptions& options) {
    rnic::QpAttributes a;
    a.qp_state = static_cast<uint8_t>(QpState::kReadyToSend);
    a.timeout = options.timeout;
    a.retry_cnt = options.retry_cnt;
    a.rnr_retry = options.rnr_retry;
    a.max_rd_atomic = options.max_rd_atomic;
    uint32_t mask = kAttrState | kAttrSqPsn;
    if (qp.type == QpType::kRc) {
        mask |= kAttrTimeout | kAttrRetryCount | kAttrRnrRetry | kAttrMaxRdAtomic;
    }
    must(qp.modify(mask, a), "to RTS");
}

void connect(ClientQp& qp, const rnic::Gid& gid, uint32_t qpn, const ConnectOptions& options) {
    to_init(qp, options);
    to_rtr(qp, gid, qpn, options);
    to_rts(qp, options);
}

void connect(ClientQp& a, ClientQp& b, const ConnectOptions& options) {
    connect(a, b.guest->gid(), b.number(), options);
    connect(b, a.guest->gid(), a.number(), options);
}

}  // namespace vrdma::embedded::test
