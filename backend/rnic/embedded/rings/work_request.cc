// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/rings/work_request.h"

#include <algorithm>
#include <cstring>

#include "memory/guest_access.h"

namespace vrdma::embedded {
namespace {

// The part of rxe_send_wr that the transports served here use.
struct SendHead {
    uint64_t wr_id;
    uint32_t reserved;
    uint32_t opcode;
    uint32_t send_flags;
    uint32_t immediate;
    union {
        struct {
            uint64_t remote_address;
            uint32_t rkey;
        } rdma;
        struct {
            uint64_t remote_address;
            uint64_t compare_add;
            uint64_t swap;
            uint32_t rkey;
        } atomic;
        struct {
            uint32_t remote_qpn;
            uint32_t remote_qkey;
            uint16_t pkey_index;
            uint16_t reserved;
            uint32_t ah_num;
        } ud;
        vrdma_wr_reg reg;
        struct {
            uint64_t address;
            uint64_t length;
            uint32_t mr_lkey;
            uint32_t mw_rkey;
            uint32_t rkey;
            uint32_t access;
        } mw;
    };
};
static_assert(offsetof(SendHead, opcode) == offsetof(rxe_send_wr, opcode));
static_assert(offsetof(SendHead, send_flags) == offsetof(rxe_send_wr, send_flags));
static_assert(offsetof(SendHead, immediate) == offsetof(rxe_send_wr, ex));
static_assert(offsetof(SendHead, rdma.rkey) == offsetof(rxe_send_wr, wr.rdma.rkey));
static_assert(offsetof(SendHead, atomic.rkey) == offsetof(rxe_send_wr, wr.atomic.rkey));
static_assert(offsetof(SendHead, reg) == offsetof(rxe_send_wr, wr));
static_assert(offsetof(SendHead, mw.access) == offsetof(rxe_send_wr, wr.mw.access));
static_assert(offsetof(SendHead, ud.ah_num) == offsetof(rxe_send_wr, wr.ud.ah_num));

struct DmaHead {
    uint32_t length;
    uint32_t resid;
    uint32_t cur_sge;
    uint32_t num_sge;
    uint32_t sge_offset;
    uint32_t reserved;
};
static_assert(sizeof(DmaHead) == kDmaHeadSize);

struct ReceiveHead {
    uint64_t wr_id;
    uint64_t reserved;
    DmaHead dma;
};
static_assert(sizeof(ReceiveHead) == kRecvWqeHeadSize);

// Copies `count` entries, which the caller has bounded, and returns their sum.
uint64_t copy_sges(const std::byte* from, uint32_t count, std::array<Sge, kMaxSge>& to) {
    uint64_t length = 0;
    for (uint32_t i = 0; i < count; ++i) {
        to[i] = memory::copy_from_guest<Sge>(from + i * sizeof(Sge));
        length += to[i].length;
    }
    return length;
}

// The address vector that a work request of the guest's kernel has.
rnic::AhAttributes parse_address(std::span<const std::byte> element) {
    const auto av =
        memory::copy_from_guest<rxe_av>(element.data() + offsetof(rxe_send_wr, wr.ud.av));
    rnic::AhAttributes address{.flow_label = av.grh.flow_label,
                               .sgid_index = av.grh.sgid_index,
                               .hop_limit = av.grh.hop_limit,
                               .traffic_class = av.grh.traffic_class,
                               .port = av.port_num};
    std::ranges::copy(av.grh.dgid.raw, address.dgid.begin());
    return address;
}

bool is_known(WrOpcode opcode) {
    return opcode <= WrOpcode::kSendWithInvalidate || opcode == WrOpcode::kRegisterMr;
}

bool may_be_inline(WrOpcode opcode) {
    return opcode <= WrOpcode::kSendWithImmediate || opcode == WrOpcode::kSendWithInvalidate;
}

// The part of the request that its opcode, or the transport of a datagram, decides.
inline void parse_operation(std::span<const std::byte> element, const SendHead& head, QpType type,
                            SendRequest& request) {
    // NOLINTNEXTLINE(bugprone-branch-clone): what is most frequent is asked for first
    if (request.opcode <= WrOpcode::kRdmaWriteWithImmediate) {
        request.rdma = {head.rdma.remote_address, head.rdma.rkey};
    } else if (is_datagram(type)) {
        request.ud = {head.ud.remote_qpn, head.ud.remote_qkey, head.ud.ah_num};
        if (head.ud.ah_num == 0) {
            request.address = parse_address(element);
        }
    } else if (request.opcode <= WrOpcode::kRdmaRead) {
        request.rdma = {head.rdma.remote_address, head.rdma.rkey};
    } else if (request.opcode == WrOpcode::kRegisterMr) {
        request.reg = {le32toh(head.reg.key), le32toh(head.reg.access)};
    } else if (request.opcode == WrOpcode::kBindWindow) {
        request.bind = {head.mw.address, head.mw.length, head.mw.mr_lkey,
                        head.mw.mw_rkey, head.mw.rkey,   head.mw.access};
    } else if (is_atomic(request.opcode)) {
        request.atomic = {head.atomic.remote_address, head.atomic.compare_add, head.atomic.swap,
                          head.atomic.rkey};
    } else {
        request.rdma = {head.rdma.remote_address, head.rdma.rkey};
    }
}

}  // namespace

WcStatus parse_send_request(std::span<const std::byte> element, const SendLimits& limits,
                            QpType type, SendRequest& request) {
    const auto head = memory::copy_from_guest<SendHead>(element.data());
    const auto dma = memory::copy_from_guest<DmaHead>(element.data() + offsetof(rxe_send_wqe, dma));
    request.wr_id = head.wr_id;
    request.opcode = static_cast<WrOpcode>(head.opcode);
    request.flags = head.send_flags;
    request.immediate = head.immediate;
    request.is_inline = false;
    request.sge_count = 0;
    request.length = 0;
    if (!is_known(request.opcode)) {
        return WcStatus::kLocalQpOperationError;
    }

    parse_operation(element, head, type, request);

    const std::byte* payload = element.data() + kSendWqeHeadSize;
    // librxe's wr_set_inline_data() does not set the flag, but leaves num_sge at 0.
    const bool unflagged_inline =
        dma.num_sge == 0 && dma.length != 0 && may_be_inline(request.opcode);
    if ((head.send_flags & kSendInline) != 0 || unflagged_inline) {
        if (!may_be_inline(request.opcode)) {
            return WcStatus::kLocalQpOperationError;
        }
        if (dma.length > limits.max_inline || dma.length > kMaxInline) {
            return WcStatus::kLocalLengthError;
        }
        std::memcpy(request.inline_data.data(), payload, dma.length);
        std::atomic_signal_fence(std::memory_order_seq_cst);
        request.is_inline = true;
        request.length = dma.length;
        return WcStatus::kSuccess;
    }
    if (dma.num_sge > limits.max_sge || dma.num_sge > kMaxSge) {
        return WcStatus::kLocalQpOperationError;
    }
    request.sge_count = dma.num_sge;
    request.length = copy_sges(payload, dma.num_sge, request.sges);
    return request.length > kMaxMessage ? WcStatus::kLocalLengthError : WcStatus::kSuccess;
}

WcStatus parse_receive_request(std::span<const std::byte> element, uint32_t max_sge,
                               ReceiveRequest& request) {
    const auto head = memory::copy_from_guest<ReceiveHead>(element.data());
    request.wr_id = head.wr_id;
    request.sge_count = 0;
    request.length = 0;
    if (head.dma.num_sge > max_sge || head.dma.num_sge > kMaxSge) {
        return WcStatus::kLocalQpOperationError;
    }
    request.sge_count = head.dma.num_sge;
    request.length = copy_sges(element.data() + kRecvWqeHeadSize, head.dma.num_sge, request.sges);
    return WcStatus::kSuccess;
}

FlushedRequest parse_flushed_send(std::span<const std::byte> element) {
    const auto wr_id = memory::copy_from_guest<uint64_t>(element.data());
    const auto opcode =
        memory::copy_from_guest<uint32_t>(element.data() + offsetof(rxe_send_wr, opcode));
    return {wr_id, completion_opcode(static_cast<WrOpcode>(opcode))};
}

uint64_t parse_flushed_receive(std::span<const std::byte> element) {
    return memory::copy_from_guest<uint64_t>(element.data());
}

}  // namespace vrdma::embedded
