// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "hostile/guest_verbs.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <stdexcept>

namespace vrdma::hostile {
namespace {

void must(uint32_t status, const char* what) {
    if (status != 0) {
        throw std::runtime_error(fmt::format(
            "{}: {}", what,
            status == kNoAnswer ? "no answer" : std::strerror(static_cast<int>(status))));
    }
}

}  // namespace

uint32_t GuestVerbs::tell_handle(uint16_t opcode, uint32_t uctx, uint32_t handle) {
    auto request = make<vrdma_cmd_handle>(opcode, uctx);
    request.handle = htole32(handle);
    return tell(request);
}

bool GuestVerbs::try_map_doorbells() {
    const auto [status, response] =
        ask<vrdma_rsp_map_doorbells>(make<vrdma_cmd_empty>(VRDMA_CMD_MAP_DOORBELLS));
    const uint64_t offset = le64toh(response.shm_offset);
    if (status != 0 || !reaches(offset, sizeof(*doorbells_))) {
        return false;
    }
    doorbells_ = reinterpret_cast<vrdma_doorbell_area*>(device_.shm().data() + offset);
    return true;
}

void GuestVerbs::map_doorbells() {
    if (!try_map_doorbells()) {
        throw std::runtime_error("MAP_DOORBELLS is refused");
    }
}

void GuestVerbs::add_gid(uint32_t index, const rnic::Gid& gid) {
    auto request = make<vrdma_cmd_gid>(VRDMA_CMD_ADD_GID);
    request.port = htole32(1);
    request.index = htole32(index);
    std::memcpy(request.gid, gid.data(), gid.size());
    request.type = htole32(VRDMA_GID_TYPE_ROCE_V2);
    request.vlan = htole16(rnic::kNoVlan);
    must(tell(request), "ADD_GID");
}

uint32_t GuestVerbs::alloc_ucontext() {
    const auto [status, response] =
        ask<vrdma_rsp_handle>(make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_UCONTEXT));
    must(status, "ALLOC_UCONTEXT");
    return le32toh(response.handle);
}

uint32_t GuestVerbs::alloc_pd(uint32_t uctx) {
    const auto [status, response] =
        ask<vrdma_rsp_handle>(make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_PD, uctx));
    must(status, "ALLOC_PD");
    return le32toh(response.handle);
}

GuestVerbs::Mr GuestVerbs::reg_mr(uint32_t uctx, uint32_t pd, uint64_t gpa, uint64_t length,
                                  uint64_t iova, uint32_t access) {
    auto request = make<vrdma_cmd_reg_mr>(VRDMA_CMD_REG_MR, uctx);
    request.pd = htole32(pd);
    request.access = htole32(access);
    request.start = request.iova = htole64(iova);
    request.length = htole64(length);
    request.run_count = htole32(1);
    const std::array<vrdma_run, 1> run{{{.gpa = htole64(gpa), .length = htole64(length)}}};
    const auto [status, response] = ask<vrdma_rsp_reg_mr>(request, {}, run);
    must(status, "REG_MR");
    return {le32toh(response.handle), le32toh(response.lkey), le32toh(response.rkey)};
}

std::pair<uint32_t, MappedRing> GuestVerbs::try_mmap(uint32_t uctx, const mminfo& info) {
    auto request = make<vrdma_cmd_mmap>(VRDMA_CMD_MMAP, uctx);
    const uint64_t length =
        (uint64_t{info.size} + VRDMA_SHM_PAGE_SIZE - 1) / VRDMA_SHM_PAGE_SIZE * VRDMA_SHM_PAGE_SIZE;
    request.offset = htole64(info.offset);
    request.length = htole64(length);
    const auto [status, response] = ask<vrdma_rsp_mmap>(request);
    return {status, {le64toh(response.shm_offset), length}};
}

MappedRing GuestVerbs::mmap(uint32_t uctx, const mminfo& info) {
    const auto [status, ring] = try_mmap(uctx, info);
    must(status, "MMAP");
    return ring;
}

GuestVerbs::Cq GuestVerbs::create_cq(uint32_t uctx, uint32_t cqe, uint32_t comp_vector) {
    auto request = make<vrdma_cmd_create_cq>(VRDMA_CMD_CREATE_CQ, uctx);
    request.cqe = htole32(cqe);
    request.comp_vector = htole32(comp_vector);
    rxe_create_cq_resp udata{};
    const auto [status, response] = ask<vrdma_rsp_create_cq>(request, bytes_of(udata));
    must(status, "CREATE_CQ");
    const uint32_t handle = le32toh(response.handle);
    std::atomic_ref(doorbells_->cq_arm[handle]).store(0);
    return {handle, mmap(uctx, udata.mi)};
}

GuestVerbs::Qp GuestVerbs::create_qp(uint32_t uctx, const QpInit& init) {
    auto request = make<vrdma_cmd_create_qp>(VRDMA_CMD_CREATE_QP, uctx);
    request.pd = htole32(init.pd);
    request.send_cq = htole32(init.send_cq);
    request.recv_cq = htole32(init.recv_cq);
    request.srq = htole32(VRDMA_NO_HANDLE);
    request.qp_type = init.type;
    request.cap = {.max_send_wr = htole32(init.send_wr),
                   .max_recv_wr = htole32(init.recv_wr),
                   .max_send_sge = htole32(init.sge),
                   .max_recv_sge = htole32(init.sge),
                   .max_inline_data = htole32(init.inline_data),
                   .reserved = 0};
    rxe_create_qp_resp udata{};
    const auto [status, response] = ask<vrdma_rsp_create_qp>(request, bytes_of(udata));
    must(status, "CREATE_QP");
    return {le32toh(response.handle), le32toh(response.qp_num), mmap(uctx, udata.sq_mi),
            mmap(uctx, udata.rq_mi)};
}

uint32_t GuestVerbs::create_srq(uint32_t uctx, uint32_t pd, uint32_t max_wr) {
    auto request = make<vrdma_cmd_create_srq>(VRDMA_CMD_CREATE_SRQ, uctx);
    request.pd = htole32(pd);
    request.max_wr = htole32(max_wr);
    request.max_sge = htole32(1);
    rxe_create_srq_resp udata{};
    const auto [status, response] = ask<vrdma_rsp_create_srq>(request, bytes_of(udata));
    must(status, "CREATE_SRQ");
    mmap(uctx, udata.mi);
    return le32toh(response.handle);
}

uint32_t GuestVerbs::alloc_mw(uint32_t uctx, uint32_t pd, uint8_t type) {
    auto request = make<vrdma_cmd_alloc_mw>(VRDMA_CMD_ALLOC_MW, uctx);
    request.pd = htole32(pd);
    request.type = type;
    const auto [status, response] = ask<vrdma_rsp_alloc_mw>(request);
    must(status, "ALLOC_MW");
    return le32toh(response.handle);
}

vrdma_ah_attr GuestVerbs::path_to(const rnic::Gid& gid) {
    constexpr uint8_t kHopLimit = 64;
    vrdma_ah_attr path{};
    std::ranges::copy(gid, path.dgid);
    path.hop_limit = kHopLimit;
    path.port = rnic::kGuestPort;
    path.flags = VRDMA_AH_GRH;
    return path;
}

uint32_t GuestVerbs::create_ah(uint32_t uctx, uint32_t pd, const rnic::Gid& to) {
    auto request = make<vrdma_cmd_create_ah>(VRDMA_CMD_CREATE_AH, uctx);
    request.pd = htole32(pd);
    request.attr = path_to(to);
    rxe_create_ah_resp udata{};
    const auto [status, response] = ask<vrdma_rsp_handle>(request, bytes_of(udata));
    must(status, "CREATE_AH");
    return le32toh(response.handle);
}

void GuestVerbs::modify_qp(uint32_t uctx, uint32_t handle, uint32_t mask,
                           const vrdma_qp_attr& attr) {
    auto request = make<vrdma_cmd_modify_qp>(VRDMA_CMD_MODIFY_QP, uctx);
    request.handle = htole32(handle);
    request.attr_mask = htole32(mask);
    request.attr = attr;
    must(tell(request), "MODIFY_QP");
}

void GuestVerbs::ring(vrdma_doorbell_bitmap& bitmap, uint32_t handle) {
    const auto set = [](__le64& word, uint32_t bit) {
        std::atomic_ref(word).fetch_or(uint64_t{1} << bit % 64);
    };
    set(bitmap.bits[handle / 64], handle);
    set(bitmap.summary[handle / 4096], handle / 64);
    set(bitmap.root, handle / 4096);
    if (std::atomic_ref(doorbells_->polling).load() == 0) {
        device_.kick_doorbells();
    }
}

}  // namespace vrdma::hostile
