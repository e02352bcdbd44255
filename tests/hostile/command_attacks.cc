// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "hostile/command_attacks.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "rnic/embedded/rings/rxe_abi.h"
#include "support/commands.h"

namespace vrdma::hostile {
namespace {

using namespace rnic::verbs_abi;

}  // namespace

void CommandAttacks::step() {
    switch (choices_.below(17)) {
        case 0:
            return create_context();
        case 1:
            return create_pd();
        case 2:
            return create_cq();
        case 3:
            return create_srq();
        case 4:
            return create_qp();
        case 5:
        case 6:
            return modify_qp();
        case 7:
            return register_memory();
        case 8:
            return reregister();
        case 9:
            return create_window();
        case 10:
            return create_ah();
        case 11:
            return change_queue();
        case 12:
            return change_gid();
        case 13:
            return multicast();
        case 14:
            return destroy();
        case 15:
            return garbage_command();
        default:
            return raw_command();
    }
}

void CommandAttacks::make_queue_pair() {
    create_context();
    create_pd();
    create_cq();
    register_memory();
    create_qp();
}

void CommandAttacks::create_context() {
    const auto [status, response] =
        verbs_.ask<vrdma_rsp_handle>(GuestVerbs::make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_UCONTEXT));
    if (status == 0) {
        known_.remember(known_.uctxs, le32toh(response.handle));
    }
}

void CommandAttacks::create_pd() {
    const auto [status, response] = verbs_.ask<vrdma_rsp_handle>(
        GuestVerbs::make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_PD, known_.some(known_.uctxs)));
    if (status == 0) {
        known_.remember(known_.pds, le32toh(response.handle));
    }
}

void CommandAttacks::create_cq() {
    const uint32_t uctx = known_.some(known_.uctxs);
    auto request = GuestVerbs::make<vrdma_cmd_create_cq>(VRDMA_CMD_CREATE_CQ, uctx);
    request.cqe = htole32(choices_.one_in(8) ? choices_.odd_number()
                                             : static_cast<uint32_t>(1 + choices_.below(64)));
    request.comp_vector = htole32(static_cast<uint32_t>(choices_.below(4)));
    rxe_create_cq_resp udata{};
    const auto [status, response] = verbs_.ask<vrdma_rsp_create_cq>(request, bytes_of(udata));
    if (status == 0) {
        known_.remember(known_.cqs, le32toh(response.handle));
        known_.map(uctx, udata.mi, VRDMA_NO_HANDLE);
    }
}

void CommandAttacks::create_srq() {
    const uint32_t uctx = known_.some(known_.uctxs);
    auto request = GuestVerbs::make<vrdma_cmd_create_srq>(VRDMA_CMD_CREATE_SRQ, uctx);
    request.pd = htole32(known_.some(known_.pds));
    request.max_wr = htole32(choices_.one_in(8) ? choices_.odd_number()
                                                : static_cast<uint32_t>(1 + choices_.below(64)));
    request.max_sge = htole32(static_cast<uint32_t>(1 + choices_.below(4)));
    rxe_create_srq_resp udata{};
    const auto [status, response] = verbs_.ask<vrdma_rsp_create_srq>(request, bytes_of(udata));
    if (status == 0) {
        known_.remember(known_.srqs, le32toh(response.handle));
        known_.map(uctx, udata.mi, VRDMA_NO_HANDLE);
    }
}

void CommandAttacks::create_qp() {
    const uint32_t uctx = known_.some(known_.uctxs);
    auto request = GuestVerbs::make<vrdma_cmd_create_qp>(VRDMA_CMD_CREATE_QP, uctx);
    request.pd = htole32(known_.some(known_.pds));
    request.send_cq = htole32(known_.some(known_.cqs));
    request.recv_cq = htole32(known_.some(known_.cqs));
    request.srq = htole32(choices_.one_in(4) ? known_.some(known_.srqs) : VRDMA_NO_HANDLE);
    request.qp_type = static_cast<uint8_t>(
        choices_.pick({QpType::kRc, QpType::kRc, QpType::kUc, QpType::kUd, QpType::kGsi}));
    request.sq_sig_all = choices_.one_in(2) ? 1 : 0;
    request.cap.max_send_wr = htole32(static_cast<uint32_t>(1 + choices_.below(32)));
    request.cap.max_recv_wr = htole32(static_cast<uint32_t>(1 + choices_.below(32)));
    request.cap.max_send_sge = request.cap.max_recv_sge = htole32(4);
    request.cap.max_inline_data = htole32(64);
    if (choices_.one_in(8)) {
        request.cap.max_send_wr = htole32(choices_.odd_number());
    }
    rxe_create_qp_resp udata{};
    const auto [status, response] = verbs_.ask<vrdma_rsp_create_qp>(request, bytes_of(udata));
    if (status == 0) {
        const uint32_t handle = le32toh(response.handle);
        known_.remember(known_.qps, handle);
        known_.remember(known_.qp_numbers, le32toh(response.qp_num));
        known_.map(uctx, udata.sq_mi, handle);
        known_.map(uctx, udata.rq_mi, VRDMA_NO_HANDLE);
    }
}

// Towards RTS as a rule, so that there is something to send with.
void CommandAttacks::modify_qp() {
    auto request =
        GuestVerbs::make<vrdma_cmd_modify_qp>(VRDMA_CMD_MODIFY_QP, known_.some(known_.uctxs));
    request.handle = htole32(known_.some(known_.qps));
    vrdma_qp_attr& attr = request.attr;
    attr.port = 1;
    attr.qp_access_flags = htole32(0xf);
    attr.qkey = htole32(0x1234);
    attr.path_mtu = kMtu4096;
    attr.dest_qp_num = htole32(choices_.one_in(4) ? known_.some(known_.foreign_qps)
                                                  : known_.some(known_.qp_numbers));
    attr.max_dest_rd_atomic = attr.max_rd_atomic = 4;
    attr.min_rnr_timer = 1;
    attr.timeout = static_cast<uint8_t>(choices_.below(32));
    attr.retry_cnt = static_cast<uint8_t>(choices_.below(8));
    attr.rnr_retry = static_cast<uint8_t>(choices_.below(8));
    attr.ah.port = 1;
    const rnic::Gid gid = known_.some_gid();
    std::ranges::copy(gid, attr.ah.dgid);
    if (choices_.one_in(8)) {
        choices_.fill(bytes_of(attr));
    }
    constexpr uint32_t kToRts = kAttrTimeout | kAttrRetryCount | kAttrRnrRetry | kAttrMaxRdAtomic;
    constexpr uint32_t kToRtr = kAttrAddressVector | kAttrPathMtu | kAttrDestQpn | kAttrRqPsn;
    const auto go = [&](QpState state, uint32_t mask) {
        attr.qp_state = static_cast<uint8_t>(state);
        request.attr_mask = htole32(kAttrState | mask);
        verbs_.tell(request);
    };
    if (choices_.one_in(4)) {
        go(static_cast<QpState>(choices_.below(8)), choices_.odd_number());
        return;
    }
    for (const uint32_t specific : {kAttrAccessFlags, kAttrQkey}) {
        go(QpState::kInit, kAttrPkeyIndex | kAttrPort | specific);
    }
    for (const uint32_t mask : {kToRtr | kAttrMaxDestRdAtomic | kAttrMinRnrTimer, kToRtr, 0U}) {
        go(QpState::kReadyToReceive, mask);
    }
    for (const uint32_t mask : {kToRts, 0U}) {
        go(QpState::kReadyToSend, kAttrSqPsn | mask);
    }
}

void CommandAttacks::register_memory() {
    uint64_t length = 0;
    const uint32_t uctx = known_.some(known_.uctxs);
    if (choices_.one_in(8)) {
        auto request = GuestVerbs::make<vrdma_cmd_get_dma_mr>(VRDMA_CMD_GET_DMA_MR, uctx);
        request.pd = htole32(known_.some(known_.pds));
        request.access = htole32(0xf);
        request.base = htole64(choices_.number());
        const auto [status, response] = verbs_.ask<vrdma_rsp_reg_mr>(request);
        if (status == 0) {
            known_.remember(known_.mrs, le32toh(response.handle));
            known_.remember(known_.keys, le32toh(response.lkey));
        }
        return;
    }
    const auto runs = known_.some_runs(length);
    if (choices_.one_in(8)) {
        auto request = GuestVerbs::make<vrdma_cmd_alloc_mr>(VRDMA_CMD_ALLOC_MR, uctx);
        request.pd = htole32(known_.some(known_.pds));
        request.max_pages = htole32(choices_.one_in(4) ? choices_.odd_number()
                                                       : static_cast<uint32_t>((length - 24) / 8));
        request.run_count = htole32(static_cast<uint32_t>(runs.size()));
        const auto [status, response] = verbs_.ask<vrdma_rsp_reg_mr>(request, {}, runs);
        if (status == 0) {
            known_.remember(known_.mrs, le32toh(response.handle));
            known_.remember(known_.keys, le32toh(response.lkey));
        }
        return;
    }
    auto request = GuestVerbs::make<vrdma_cmd_reg_mr>(VRDMA_CMD_REG_MR, uctx);
    request.pd = htole32(known_.some(known_.pds));
    request.access = htole32(choices_.one_in(4) ? choices_.odd_number() : 0x1f);
    request.start = request.iova = htole64(choices_.one_in(8) ? choices_.number() : kIova);
    request.length = htole64(length);
    request.run_count = htole32(static_cast<uint32_t>(runs.size()));
    const auto [status, response] = verbs_.ask<vrdma_rsp_reg_mr>(request, {}, runs);
    if (status == 0) {
        known_.remember(known_.mrs, le32toh(response.handle));
        known_.remember(known_.keys, le32toh(response.lkey));
        known_.remember(known_.keys, le32toh(response.rkey));
    }
}

void CommandAttacks::reregister() {
    auto request =
        GuestVerbs::make<vrdma_cmd_rereg_mr>(VRDMA_CMD_REREG_MR, known_.some(known_.uctxs));
    request.handle = htole32(known_.some(known_.mrs));
    request.flags = htole32(static_cast<uint32_t>(choices_.below(8)));
    request.pd = htole32(known_.some(known_.pds));
    request.access = htole32(static_cast<uint32_t>(choices_.below(32)));
    request.start = request.iova = htole64(kIova + choices_.below(4096));
    uint64_t length = 0;
    const auto runs = known_.some_runs(length);
    request.length = htole64(length);
    request.run_count = htole32(static_cast<uint32_t>(runs.size()));
    verbs_.ask<vrdma_rsp_reg_mr>(request, {}, runs);
}

void CommandAttacks::create_window() {
    auto request =
        GuestVerbs::make<vrdma_cmd_alloc_mw>(VRDMA_CMD_ALLOC_MW, known_.some(known_.uctxs));
    request.pd = htole32(known_.some(known_.pds));
    request.type = static_cast<uint8_t>(choices_.below(4));
    const auto [status, response] = verbs_.ask<vrdma_rsp_alloc_mw>(request);
    if (status == 0) {
        known_.remember(known_.mws, le32toh(response.handle));
        known_.remember(known_.keys, le32toh(response.rkey));
    }
}

void CommandAttacks::create_ah() {
    auto request =
        GuestVerbs::make<vrdma_cmd_create_ah>(VRDMA_CMD_CREATE_AH, known_.some(known_.uctxs));
    request.pd = htole32(known_.some(known_.pds));
    request.attr.port = 1;
    request.attr.hop_limit = 64;
    request.attr.sgid_index = static_cast<uint8_t>(choices_.below(4));
    std::ranges::copy(known_.some_gid(), request.attr.dgid);
    rxe_create_ah_resp udata{};
    const auto [status, response] = verbs_.ask<vrdma_rsp_handle>(request, bytes_of(udata));
    if (status == 0) {
        known_.remember(known_.ahs, le32toh(response.handle));
    }
}

void CommandAttacks::change_queue() {
    const uint32_t size =
        choices_.one_in(4) ? choices_.odd_number() : static_cast<uint32_t>(choices_.below(256));
    if (choices_.one_in(2)) {
        const uint32_t uctx = known_.some(known_.uctxs);
        auto request = GuestVerbs::make<vrdma_cmd_resize_cq>(VRDMA_CMD_RESIZE_CQ, uctx);
        request.handle = htole32(known_.some(known_.cqs));
        request.cqe = htole32(size);
        rxe_resize_cq_resp udata{};
        if (verbs_.ask<vrdma_rsp_resize_cq>(request, bytes_of(udata)).first == 0) {
            known_.map(uctx, udata.mi, VRDMA_NO_HANDLE);
        }
        return;
    }
    auto request =
        GuestVerbs::make<vrdma_cmd_modify_srq>(VRDMA_CMD_MODIFY_SRQ, known_.some(known_.uctxs));
    request.handle = htole32(known_.some(known_.srqs));
    request.attr_mask = htole32(static_cast<uint32_t>(choices_.below(4)));
    request.max_wr = htole32(size);
    request.srq_limit = htole32(static_cast<uint32_t>(choices_.below(64)));
    verbs_.tell(request);
}

void CommandAttacks::change_gid() {
    auto request =
        GuestVerbs::make<vrdma_cmd_gid>(choices_.one_in(4) ? VRDMA_CMD_DEL_GID : VRDMA_CMD_ADD_GID);
    request.port = htole32(1);
    request.index = htole32(choices_.one_in(8) ? choices_.odd_number()
                                               : static_cast<uint32_t>(choices_.below(4)));
    std::ranges::copy(known_.some_gid(), request.gid);
    request.type = htole32(static_cast<uint32_t>(1 + choices_.below(3)));
    request.vlan = htole16(choices_.one_in(4) ? 5 : rnic::kNoVlan);
    verbs_.tell(request);
}

void CommandAttacks::multicast() {
    auto request = GuestVerbs::make<vrdma_cmd_mcast>(
        choices_.one_in(3) ? VRDMA_CMD_DETACH_MCAST : VRDMA_CMD_ATTACH_MCAST,
        known_.some(known_.uctxs));
    request.qp = htole32(known_.some(known_.qps));
    request.gid[0] = 0xff;
    request.gid[15] = static_cast<uint8_t>(choices_.below(16));
    verbs_.tell(request);
}

void CommandAttacks::destroy() {
    const uint32_t uctx = known_.some(known_.uctxs);
    const auto go = [&](uint16_t opcode, std::vector<uint32_t>& handles) {
        const uint32_t handle = known_.some(handles);
        // The handle stays known now and then: it is used again when it is gone.
        if (verbs_.tell_handle(opcode, uctx, handle) == 0 && !choices_.one_in(4)) {
            std::erase(handles, handle);
        }
    };
    switch (choices_.below(10)) {
        case 0:
            return go(VRDMA_CMD_DEALLOC_UCONTEXT, known_.uctxs);
        case 1:
            return go(VRDMA_CMD_DEALLOC_PD, known_.pds);
        case 2:
            return go(VRDMA_CMD_DEREG_MR, known_.mrs);
        case 3:
            return go(VRDMA_CMD_DEALLOC_MW, known_.mws);
        case 4:
            return go(VRDMA_CMD_DESTROY_CQ, known_.cqs);
        case 5:
            return go(VRDMA_CMD_DESTROY_SRQ, known_.srqs);
        case 6:
            return go(VRDMA_CMD_DESTROY_AH, known_.ahs);
        case 7: {
            if (known_.rings.empty()) {
                return;
            }
            const size_t at = choices_.below(known_.rings.size());
            const Knowledge::Ring ring = known_.rings[at];
            auto request = GuestVerbs::make<vrdma_cmd_munmap>(VRDMA_CMD_MUNMAP, ring.uctx);
            request.shm_offset = htole64(ring.at.shm_offset);
            request.length = htole64(ring.at.length);
            if (verbs_.tell(request) == 0) {
                known_.rings.erase(known_.rings.begin() + static_cast<ptrdiff_t>(at));
            }
            return;
        }
        default:
            return go(VRDMA_CMD_DESTROY_QP, known_.qps);
    }
}

// A command whose fields are numbers and handles without sense.
void CommandAttacks::garbage_command() {
    const test::CommandShape& shape =
        test::kCommandShapes[choices_.below(test::kCommandShapes.size())];
    std::vector<std::byte> request(shape.request + choices_.below(3) * 16);
    const std::array<const std::vector<uint32_t>*, 6> lists{
        &known_.uctxs, &known_.pds, &known_.cqs, &known_.qps, &known_.mrs, &known_.keys};
    for (size_t i = 0; i + 4 <= request.size(); i += 4) {
        const uint32_t word = choices_.one_in(2) ? known_.some(*lists[choices_.below(lists.size())])
                                                 : choices_.odd_number();
        std::memcpy(&request[i], &word, sizeof(word));
    }
    vrdma_cmd_hdr header{};
    header.opcode = htole16(shape.opcode);
    header.length = htole32(shape.request);
    header.uctx = htole32(known_.some(known_.uctxs));
    header.udata_in_len = htole16(static_cast<uint16_t>(request.size() - shape.request));
    if (choices_.one_in(4)) {
        header.udata_out_len = htole16(static_cast<uint16_t>(choices_.odd_number()));
        header.region_count = htole16(static_cast<uint16_t>(choices_.below(5)));
    }
    std::memcpy(request.data(), &header, sizeof(header));
    verbs_.device().execute(request,
                            choices_.one_in(8) ? choices_.below(64) : shape.response + size_t{64});
}

void CommandAttacks::raw_command() {
    std::vector<std::byte> request(choices_.below(choices_.pick<uint64_t>({32, 512, 4096})));
    choices_.fill(request);
    verbs_.device().execute(request, choices_.below(256));
}

}  // namespace vrdma::hostile
