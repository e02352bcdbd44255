// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "hostile/attacker.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>

#include "rnic/embedded/rings/rxe_abi.h"
#include "rxe_client.h"
#include "support/commands.h"

namespace vrdma::hostile {
namespace {

using namespace rnic::verbs_abi;
using embedded::kSendWqeHeadSize;
using embedded::Sge;

constexpr size_t kRemembered = 64;
constexpr uint64_t kIova = 0x7f0000000000;

// The RNIC may look at the same moment: a guest's stores are whole words.
void store(std::byte* at, uint32_t value) {
    std::atomic_ref(*reinterpret_cast<uint32_t*>(at)).store(value, std::memory_order_relaxed);
}

}  // namespace

void Attacker::aim_at(uint32_t qp_number, const rnic::Gid& gid) {
    foreign_qps_.push_back(qp_number);
    gids_.push_back(gid);
}

uint32_t Attacker::some(const std::vector<uint32_t>& handles) {
    if (handles.empty() || choices_.one_in(16)) {
        return choices_.odd_number();
    }
    return handles[choices_.below(handles.size())];
}

uint64_t Attacker::some_address() {
    const auto& region = verbs_.device().memory().regions().front();
    switch (choices_.below(8)) {
        case 0:
            return choices_.number();
        case 1:
            return region->start + region->size - choices_.below(8192);
        default:
            return region->start + choices_.below(region->size) / 4096 * 4096;
    }
}

rnic::Gid Attacker::some_gid() {
    if (!gids_.empty() && choices_.one_in(2)) {
        return gids_[choices_.below(gids_.size())];
    }
    return embedded::test::Guest::gid_of(static_cast<uint8_t>(200 + choices_.below(8)));
}

std::vector<vrdma_run> Attacker::some_runs(uint64_t& length) {
    std::vector<vrdma_run> runs(choices_.below(choices_.pick<uint64_t>({2, 5, 200})));
    length = 0;
    for (vrdma_run& run : runs) {
        const uint64_t piece =
            choices_.one_in(16) ? choices_.number() : (1 + choices_.below(4)) * 4096;
        run = {.gpa = htole64(some_address()), .length = htole64(piece)};
        length += piece;
    }
    if (choices_.one_in(16)) {
        length += choices_.odd_number();
    }
    return runs;
}

void Attacker::remember(std::vector<uint32_t>& list, uint32_t value) {
    if (list.size() < kRemembered) {
        list.push_back(value);
    } else {
        list[choices_.below(kRemembered)] = value;
    }
}

void Attacker::map(uint32_t uctx, const mminfo& info, uint32_t qp) {
    mminfo wanted = info;
    if (choices_.one_in(16)) {
        wanted.offset += choices_.odd_number();
        wanted.size = choices_.odd_number();
    }
    const auto [status, ring] = verbs_.try_mmap(uctx, wanted);
    const auto shm = verbs_.device().shm();
    if (status == 0 && ring.shm_offset < shm.size() &&
        ring.length <= shm.size() - ring.shm_offset && ring.length >= sizeof(rxe_queue_buf)) {
        if (known_.rings.size() == kRemembered) {
            known_.rings.erase(known_.rings.begin());
        }
        known_.rings.push_back({uctx, ring, qp});
    }
}

void Attacker::step() {
    known_.doorbells = known_.doorbells || verbs_.try_map_doorbells();
    if (known_.qps.empty()) {
        // The way to a queue pair, which the rest needs.
        create_context();
        create_pd();
        create_cq();
        register_memory();
        create_qp();
    }
    switch (choices_.below(24)) {
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
        case 16:
            return raw_command();
        case 17:
        case 18:
            return spoil_ring();
        case 19:
        case 20:
        case 21:
            return post_work();
        default:
            return storm_doorbells();
    }
}

void Attacker::create_context() {
    const auto [status, response] =
        verbs_.ask<vrdma_rsp_handle>(GuestVerbs::make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_UCONTEXT));
    if (status == 0) {
        remember(known_.uctxs, le32toh(response.handle));
    }
}

void Attacker::create_pd() {
    const auto [status, response] = verbs_.ask<vrdma_rsp_handle>(
        GuestVerbs::make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_PD, some(known_.uctxs)));
    if (status == 0) {
        remember(known_.pds, le32toh(response.handle));
    }
}

void Attacker::create_cq() {
    const uint32_t uctx = some(known_.uctxs);
    auto request = GuestVerbs::make<vrdma_cmd_create_cq>(VRDMA_CMD_CREATE_CQ, uctx);
    request.cqe = htole32(choices_.one_in(8) ? choices_.odd_number()
                                             : static_cast<uint32_t>(1 + choices_.below(64)));
    request.comp_vector = htole32(static_cast<uint32_t>(choices_.below(4)));
    rxe_create_cq_resp udata{};
    const auto [status, response] = verbs_.ask<vrdma_rsp_create_cq>(request, bytes_of(udata));
    if (status == 0) {
        remember(known_.cqs, le32toh(response.handle));
        map(uctx, udata.mi, VRDMA_NO_HANDLE);
    }
}

void Attacker::create_srq() {
    const uint32_t uctx = some(known_.uctxs);
    auto request = GuestVerbs::make<vrdma_cmd_create_srq>(VRDMA_CMD_CREATE_SRQ, uctx);
    request.pd = htole32(some(known_.pds));
    request.max_wr = htole32(choices_.one_in(8) ? choices_.odd_number()
                                                : static_cast<uint32_t>(1 + choices_.below(64)));
    request.max_sge = htole32(static_cast<uint32_t>(1 + choices_.below(4)));
    rxe_create_srq_resp udata{};
    const auto [status, response] = verbs_.ask<vrdma_rsp_create_srq>(request, bytes_of(udata));
    if (status == 0) {
        remember(known_.srqs, le32toh(response.handle));
        map(uctx, udata.mi, VRDMA_NO_HANDLE);
    }
}

void Attacker::create_qp() {
    const uint32_t uctx = some(known_.uctxs);
    auto request = GuestVerbs::make<vrdma_cmd_create_qp>(VRDMA_CMD_CREATE_QP, uctx);
    request.pd = htole32(some(known_.pds));
    request.send_cq = htole32(some(known_.cqs));
    request.recv_cq = htole32(some(known_.cqs));
    request.srq = htole32(choices_.one_in(4) ? some(known_.srqs) : VRDMA_NO_HANDLE);
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
        remember(known_.qps, handle);
        remember(known_.qp_numbers, le32toh(response.qp_num));
        map(uctx, udata.sq_mi, handle);
        map(uctx, udata.rq_mi, VRDMA_NO_HANDLE);
    }
}

// Towards RTS as a rule, so that there is something to send with.
void Attacker::modify_qp() {
    auto request = GuestVerbs::make<vrdma_cmd_modify_qp>(VRDMA_CMD_MODIFY_QP, some(known_.uctxs));
    request.handle = htole32(some(known_.qps));
    vrdma_qp_attr& attr = request.attr;
    attr.port = 1;
    attr.qp_access_flags = htole32(0xf);
    attr.qkey = htole32(0x1234);
    attr.path_mtu = kMtu4096;
    attr.dest_qp_num = htole32(choices_.one_in(4) ? some(foreign_qps_) : some(known_.qp_numbers));
    attr.max_dest_rd_atomic = attr.max_rd_atomic = 4;
    attr.min_rnr_timer = 1;
    attr.timeout = static_cast<uint8_t>(choices_.below(32));
    attr.retry_cnt = static_cast<uint8_t>(choices_.below(8));
    attr.rnr_retry = static_cast<uint8_t>(choices_.below(8));
    attr.ah.port = 1;
    const rnic::Gid gid = some_gid();
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

void Attacker::register_memory() {
    uint64_t length = 0;
    const uint32_t uctx = some(known_.uctxs);
    if (choices_.one_in(8)) {
        auto request = GuestVerbs::make<vrdma_cmd_get_dma_mr>(VRDMA_CMD_GET_DMA_MR, uctx);
        request.pd = htole32(some(known_.pds));
        request.access = htole32(0xf);
        request.base = htole64(choices_.number());
        const auto [status, response] = verbs_.ask<vrdma_rsp_reg_mr>(request);
        if (status == 0) {
            remember(known_.mrs, le32toh(response.handle));
            remember(known_.keys, le32toh(response.lkey));
        }
        return;
    }
    const auto runs = some_runs(length);
    if (choices_.one_in(8)) {
        auto request = GuestVerbs::make<vrdma_cmd_alloc_mr>(VRDMA_CMD_ALLOC_MR, uctx);
        request.pd = htole32(some(known_.pds));
        request.max_pages = htole32(choices_.one_in(4) ? choices_.odd_number()
                                                       : static_cast<uint32_t>((length - 24) / 8));
        request.run_count = htole32(static_cast<uint32_t>(runs.size()));
        const auto [status, response] = verbs_.ask<vrdma_rsp_reg_mr>(request, {}, runs);
        if (status == 0) {
            remember(known_.mrs, le32toh(response.handle));
            remember(known_.keys, le32toh(response.lkey));
        }
        return;
    }
    auto request = GuestVerbs::make<vrdma_cmd_reg_mr>(VRDMA_CMD_REG_MR, uctx);
    request.pd = htole32(some(known_.pds));
    request.access = htole32(choices_.one_in(4) ? choices_.odd_number() : 0x1f);
    request.start = request.iova = htole64(choices_.one_in(8) ? choices_.number() : kIova);
    request.length = htole64(length);
    request.run_count = htole32(static_cast<uint32_t>(runs.size()));
    const auto [status, response] = verbs_.ask<vrdma_rsp_reg_mr>(request, {}, runs);
    if (status == 0) {
        remember(known_.mrs, le32toh(response.handle));
        remember(known_.keys, le32toh(response.lkey));
        remember(known_.keys, le32toh(response.rkey));
    }
}

void Attacker::reregister() {
    auto request = GuestVerbs::make<vrdma_cmd_rereg_mr>(VRDMA_CMD_REREG_MR, some(known_.uctxs));
    request.handle = htole32(some(known_.mrs));
    request.flags = htole32(static_cast<uint32_t>(choices_.below(8)));
    request.pd = htole32(some(known_.pds));
    request.access = htole32(static_cast<uint32_t>(choices_.below(32)));
    request.start = request.iova = htole64(kIova + choices_.below(4096));
    uint64_t length = 0;
    const auto runs = some_runs(length);
    request.length = htole64(length);
    request.run_count = htole32(static_cast<uint32_t>(runs.size()));
    verbs_.ask<vrdma_rsp_reg_mr>(request, {}, runs);
}

void Attacker::create_window() {
    auto request = GuestVerbs::make<vrdma_cmd_alloc_mw>(VRDMA_CMD_ALLOC_MW, some(known_.uctxs));
    request.pd = htole32(some(known_.pds));
    request.type = static_cast<uint8_t>(choices_.below(4));
    const auto [status, response] = verbs_.ask<vrdma_rsp_alloc_mw>(request);
    if (status == 0) {
        remember(known_.mws, le32toh(response.handle));
        remember(known_.keys, le32toh(response.rkey));
    }
}

void Attacker::create_ah() {
    auto request = GuestVerbs::make<vrdma_cmd_create_ah>(VRDMA_CMD_CREATE_AH, some(known_.uctxs));
    request.pd = htole32(some(known_.pds));
    request.attr.port = 1;
    request.attr.hop_limit = 64;
    request.attr.sgid_index = static_cast<uint8_t>(choices_.below(4));
    std::ranges::copy(some_gid(), request.attr.dgid);
    rxe_create_ah_resp udata{};
    const auto [status, response] = verbs_.ask<vrdma_rsp_handle>(request, bytes_of(udata));
    if (status == 0) {
        remember(known_.ahs, le32toh(response.handle));
    }
}

void Attacker::change_queue() {
    const uint32_t size =
        choices_.one_in(4) ? choices_.odd_number() : static_cast<uint32_t>(choices_.below(256));
    if (choices_.one_in(2)) {
        const uint32_t uctx = some(known_.uctxs);
        auto request = GuestVerbs::make<vrdma_cmd_resize_cq>(VRDMA_CMD_RESIZE_CQ, uctx);
        request.handle = htole32(some(known_.cqs));
        request.cqe = htole32(size);
        rxe_resize_cq_resp udata{};
        if (verbs_.ask<vrdma_rsp_resize_cq>(request, bytes_of(udata)).first == 0) {
            map(uctx, udata.mi, VRDMA_NO_HANDLE);
        }
        return;
    }
    auto request = GuestVerbs::make<vrdma_cmd_modify_srq>(VRDMA_CMD_MODIFY_SRQ, some(known_.uctxs));
    request.handle = htole32(some(known_.srqs));
    request.attr_mask = htole32(static_cast<uint32_t>(choices_.below(4)));
    request.max_wr = htole32(size);
    request.srq_limit = htole32(static_cast<uint32_t>(choices_.below(64)));
    verbs_.tell(request);
}

void Attacker::change_gid() {
    auto request =
        GuestVerbs::make<vrdma_cmd_gid>(choices_.one_in(4) ? VRDMA_CMD_DEL_GID : VRDMA_CMD_ADD_GID);
    request.port = htole32(1);
    request.index = htole32(choices_.one_in(8) ? choices_.odd_number()
                                               : static_cast<uint32_t>(choices_.below(4)));
    std::ranges::copy(some_gid(), request.gid);
    request.type = htole32(static_cast<uint32_t>(1 + choices_.below(3)));
    request.vlan = htole16(choices_.one_in(4) ? 5 : rnic::kNoVlan);
    verbs_.tell(request);
}

void Attacker::multicast() {
    auto request = GuestVerbs::make<vrdma_cmd_mcast>(
        choices_.one_in(3) ? VRDMA_CMD_DETACH_MCAST : VRDMA_CMD_ATTACH_MCAST, some(known_.uctxs));
    request.qp = htole32(some(known_.qps));
    request.gid[0] = 0xff;
    request.gid[15] = static_cast<uint8_t>(choices_.below(16));
    verbs_.tell(request);
}

void Attacker::destroy() {
    const uint32_t uctx = some(known_.uctxs);
    const auto go = [&](uint16_t opcode, std::vector<uint32_t>& handles) {
        const uint32_t handle = some(handles);
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
            const Ring ring = known_.rings[at];
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
void Attacker::garbage_command() {
    const test::CommandShape& shape =
        test::kCommandShapes[choices_.below(test::kCommandShapes.size())];
    std::vector<std::byte> request(shape.request + choices_.below(3) * 16);
    const std::array<const std::vector<uint32_t>*, 6> lists{
        &known_.uctxs, &known_.pds, &known_.cqs, &known_.qps, &known_.mrs, &known_.keys};
    for (size_t i = 0; i + 4 <= request.size(); i += 4) {
        const uint32_t word =
            choices_.one_in(2) ? some(*lists[choices_.below(lists.size())]) : choices_.odd_number();
        std::memcpy(&request[i], &word, sizeof(word));
    }
    vrdma_cmd_hdr header{};
    header.opcode = htole16(shape.opcode);
    header.length = htole32(shape.request);
    header.uctx = htole32(some(known_.uctxs));
    header.udata_in_len = htole16(static_cast<uint16_t>(request.size() - shape.request));
    if (choices_.one_in(4)) {
        header.udata_out_len = htole16(static_cast<uint16_t>(choices_.odd_number()));
        header.region_count = htole16(static_cast<uint16_t>(choices_.below(5)));
    }
    std::memcpy(request.data(), &header, sizeof(header));
    verbs_.device().execute(request,
                            choices_.one_in(8) ? choices_.below(64) : shape.response + size_t{64});
}

void Attacker::raw_command() {
    std::vector<std::byte> request(choices_.below(choices_.pick<uint64_t>({32, 512, 4096})));
    choices_.fill(request);
    verbs_.device().execute(request, choices_.below(256));
}

// Overwrites a ring while the RNIC may be reading it.
void Attacker::spoil_ring() {
    if (known_.rings.empty()) {
        return;
    }
    const Ring& ring = known_.rings[choices_.below(known_.rings.size())];
    auto* const data = reinterpret_cast<std::byte*>(verbs_.header(ring.at));
    for (uint64_t count = 1 + choices_.below(16); count != 0; --count) {
        // Half of the stores go to the ring's header, with its indices.
        const uint64_t reach = choices_.one_in(2) ? sizeof(rxe_queue_buf) : ring.at.length;
        store(data + choices_.below(reach / 4) * 4, choices_.odd_number());
    }
    if (ring.qp != VRDMA_NO_HANDLE && known_.doorbells && ring.qp < VRDMA_DB_MAX_HANDLES) {
        verbs_.ring(verbs_.doorbells().qp, ring.qp);
    }
}

// Work requests that are right but for what is chosen otherwise.
void Attacker::post_work() {
    if (known_.rings.empty() || !known_.doorbells) {
        return;
    }
    const Ring& ring = known_.rings[choices_.below(known_.rings.size())];
    rxe_queue_buf* const header = verbs_.header(ring.at);
    std::byte* const elements = reinterpret_cast<std::byte*>(header) + sizeof(rxe_queue_buf);
    const uint64_t room = ring.at.length - sizeof(rxe_queue_buf);
    constexpr uint64_t kElement = kSendWqeHeadSize + 4 * sizeof(Sge);
    uint32_t log2 = header->log2_elem_size;
    if (log2 > 12 || (uint64_t{1} << log2) < kElement) {
        log2 = 9;
    }
    const uint64_t count = room >> log2;
    for (uint64_t posted = 0; count != 0 && posted < 1 + choices_.below(4); ++posted) {
        std::array<std::byte, kElement> element{};
        embedded::test::SendWr wr;
        wr.wr_id = choices_.number();
        wr.opcode = static_cast<WrOpcode>(
            choices_.one_in(8) ? choices_.odd_number()
                               : choices_.pick<uint32_t>({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 32}));
        wr.flags = static_cast<uint32_t>(choices_.below(32)) & ~uint32_t{kSendInline};
        wr.immediate = some(known_.keys);
        wr.remote_address = kIova + choices_.below(65536);
        wr.rkey = some(known_.keys);
        wr.remote_qpn = choices_.one_in(2) ? some(foreign_qps_) : some(known_.qp_numbers);
        wr.remote_qkey = 0x1234;
        wr.ah_number = some(known_.ahs);
        wr.bind = {choices_.below(65536), some(known_.keys), some(known_.keys), 0x1f};
        for (uint64_t i = choices_.below(4); i != 0; --i) {
            wr.sges.push_back({kIova + choices_.below(65536),
                               static_cast<uint32_t>(choices_.below(16384)), some(known_.keys)});
        }
        embedded::test::write_send_wqe(element.data(), wr, choices_.one_in(4));
        if (choices_.one_in(8)) {
            const auto at = choices_.below(element.size() / 4) * 4;
            const uint32_t word = choices_.odd_number();
            std::memcpy(element.data() + at, &word, sizeof(word));
        }
        const uint32_t producer =
            std::atomic_ref(header->producer_index).load(std::memory_order_relaxed);
        std::byte* const to = elements + ((producer % count) << log2);
        for (size_t i = 0; i < element.size() && ((producer % count) << log2) + i + 4 <= room;
             i += 4) {
            uint32_t word;
            std::memcpy(&word, element.data() + i, sizeof(word));
            store(to + i, word);
        }
        const uint32_t mask = header->index_mask;
        std::atomic_ref(header->producer_index)
            .store((producer + 1) & mask, std::memory_order_release);
    }
    verbs_.ring(verbs_.doorbells().qp,
                ring.qp < VRDMA_DB_MAX_HANDLES ? ring.qp : choices_.below(VRDMA_DB_MAX_HANDLES));
}

void Attacker::storm_doorbells() {
    if (!known_.doorbells) {
        return;
    }
    vrdma_doorbell_area& area = verbs_.doorbells();
    vrdma_doorbell_bitmap& bitmap = choices_.one_in(2) ? area.qp : area.cq;
    const auto set = [](auto& word, auto value) {
        std::atomic_ref(word).store(value, std::memory_order_relaxed);
    };
    switch (choices_.below(5)) {
        case 0:
            for (__le64& word : bitmap.summary) {
                set(word, ~__le64{0});
            }
            set(bitmap.root, ~__le64{0});
            break;
        case 1:
            for (__le64& word : bitmap.bits) {
                set(word, choices_.one_in(2) ? ~__le64{0} : __le64{0});
            }
            for (__le64& word : bitmap.summary) {
                set(word, ~__le64{0});
            }
            set(bitmap.root, ~__le64{0});
            break;
        case 2:
            for (uint64_t i = 0; i < 64; ++i) {
                set(area.cq_arm[choices_.below(VRDMA_DB_MAX_HANDLES)], choices_.odd_number());
            }
            for (const uint32_t cq : known_.cqs) {
                set(area.cq_arm[cq % VRDMA_DB_MAX_HANDLES], choices_.odd_number());
            }
            break;
        case 3:
            set(area.polling, choices_.odd_number());
            break;
        default:
            for (uint64_t i = choices_.below(64); i != 0; --i) {
                verbs_.ring(bitmap, static_cast<uint32_t>(choices_.below(VRDMA_DB_MAX_HANDLES)));
            }
    }
    verbs_.device().kick_doorbells();
}

}  // namespace vrdma::hostile
