// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rings.h"

#include <endian.h>

#include <algorithm>

namespace vrdma::connectx {

namespace {

constexpr unsigned kSqLog = 4;
constexpr unsigned kRqLog = 4;
constexpr size_t kEqEntries = 64;
constexpr uint64_t kSqDoorbell = 0x800;

void put_be32(uint8_t* at, uint32_t value) {
    value = htobe32(value);
    std::memcpy(at, &value, sizeof(value));
}

}  // namespace

Request& Request::data(uint64_t address, uint32_t lkey, uint32_t length) {
    return add(mlx5_wqe_data_seg{htobe32(length), htobe32(lkey), htobe64(address)});
}

Request& Request::inline_data(const Bytes& bytes, std::optional<uint32_t> claimed) {
    const auto length = claimed.value_or(static_cast<uint32_t>(bytes.size()));
    add(mlx5_wqe_inl_data_seg{htobe32(length | MLX5_INLINE_SEG)});
    body.insert(body.end(), bytes.begin(), bytes.end());
    body.resize((body.size() + 15) / 16 * 16);
    return *this;
}

Request& Request::remote(uint64_t address, uint32_t rkey) {
    return add(mlx5_wqe_raddr_seg{htobe64(address), htobe32(rkey), 0});
}

Request& Request::atomic(uint64_t swap_add, uint64_t compare) {
    return add(mlx5_wqe_atomic_seg{htobe64(swap_add), htobe64(compare)});
}

Request& Request::datagram(const FakePath& path, uint8_t service_level) {
    mlx5_wqe_av av{};
    av.key.qkey.qkey = htobe32(kQkey);
    av.dqp_dct = htobe32(path.qpn);
    av.stat_rate_sl = service_level;
    av.rlid = htobe16(path.lid);
    av.hop_limit = 1;
    if (path.global) {
        av.grh_gid_fl = htobe32(1U << 30);
        std::copy_n(path.gid, sizeof(av.rgid), av.rgid);
    }
    return add(av);
}

Request& Request::raw(const Bytes& bytes) {
    body.insert(body.end(), bytes.begin(), bytes.end());
    return *this;
}

QueuePair::QueuePair(Machine& machine, Type type, unsigned cq_log, bool may_overrun)
    : qp(),
      cq(fake_host_cq(machine.host, machine.uar, machine.eq, cq_log, may_overrun)),
      machine_(machine) {
    qp = fake_host_qp(machine.host, type, machine.uar, machine.pd, cq.number, kSqLog, kRqLog);
}

void QueuePair::connect(const FakePath& path) {
    fake_host_connect(machine_.host, &qp, &path);
}

void QueuePair::write(const Request& request) {
    Bytes bytes(sizeof(mlx5_wqe_ctrl_seg));
    bytes.insert(bytes.end(), request.body.begin(), request.body.end());
    const auto segments = static_cast<uint8_t>((bytes.size() + 15) / 16);
    const size_t blocks = (bytes.size() + kBlock - 1) / kBlock;
    mlx5_wqe_ctrl_seg control{};
    const uint32_t index = request.index.value_or(posted);
    control.opmod_idx_opcode = htobe32(index << 8 | request.opcode);
    control.qpn_ds =
        htobe32(request.qpn.value_or(qp.number) << 8 | request.segments.value_or(segments));
    control.fm_ce_se = request.flags;
    control.imm = htobe32(request.immediate);
    std::memcpy(bytes.data(), &control, sizeof(control));
    bytes.resize(blocks * kBlock);
    for (size_t block = 0; block < blocks; ++block) {
        const uint64_t place = (posted + block) % (size_t{1} << qp.sq_log) * kBlock;
        std::copy_n(bytes.data() + block * kBlock, kBlock, machine_.memory(qp.sq + place));
    }
    posted = static_cast<uint16_t>(posted + blocks);
}

void QueuePair::ring() {
    put_be32(machine_.memory(qp.record) + 4, posted);
    fake_host_write(machine_.host, uint64_t{qp.uar} * kFakePage + kSqDoorbell,
                    uint64_t{qp.number} << 8, 8);
}

void QueuePair::post_receive(uint64_t address, uint32_t lkey, uint32_t length) {
    const uint64_t place = receives % (size_t{1} << qp.rq_log) * kBlock;
    const mlx5_wqe_data_seg segments[] = {
        {htobe32(length), htobe32(lkey), htobe64(address)},
        {0, htobe32(0x100), 0},  // there is no other
    };
    std::memcpy(machine_.memory(qp.rq + place), segments, sizeof(segments));
    put_be32(machine_.memory(qp.record), ++receives);
}

std::optional<mlx5_cqe64> QueuePair::poll() {
    const uint32_t size = 1U << cq.log_size;
    mlx5_cqe64 cqe;
    std::memcpy(&cqe, machine_.memory(cq.ring + polled % size * sizeof(cqe)), sizeof(cqe));
    const bool is_ours = (cqe.op_own & MLX5_CQE_OWNER_MASK) == (polled >> cq.log_size & 1);
    if (!is_ours || cqe.op_own >> 4 == MLX5_CQE_INVALID) {
        return {};
    }
    put_be32(machine_.memory(cq.record), ++polled);
    return cqe;
}

uint8_t QueuePair::syndrome(const mlx5_cqe64& cqe) {
    mlx5_err_cqe error;
    static_assert(sizeof(error) == sizeof(cqe));
    std::memcpy(&error, &cqe, sizeof(error));
    return error.syndrome;
}

unsigned QueuePair::state() const {
    return fake_host_qp_state(machine_.host, &qp);
}

FakePath QueuePair::here(bool global) const {
    FakePath path{};
    path.lid = machine_.lid;
    path.global = global;
    path.qpn = qp.number;
    if (global) {
        fake_host_gid(machine_.host, path.gid);
    }
    return path;
}

Machine::Machine(uint16_t lid)
    : host(fake_host_new(lid)),
      lid(lid),
      uar(fake_host_uar(host)),
      pd(fake_host_pd(host)),
      eq(fake_host_eq(host, uar, &eq_ring)),
      data(fake_host_pages(host, kPages)),
      key(fake_host_key(host, pd, data, kPages, kFakeKeyAccess)) {}

void Machine::put(uint64_t at, const Bytes& bytes) const {
    std::copy(bytes.begin(), bytes.end(), memory(at));
}

Bytes Machine::get(uint64_t at, size_t size) const {
    return {memory(at), memory(at) + size};
}

std::vector<uint8_t> Machine::events() {
    std::vector<uint8_t> kinds;
    for (;; ++events_) {
        const uint8_t* entry = memory(eq_ring + events_ % kEqEntries * kBlock);
        if ((entry[kBlock - 1] & 1) != (events_ / kEqEntries & 1)) {
            return kinds;
        }
        kinds.push_back(entry[1]);
    }
}

Loop::Loop(Type type, unsigned cq_log, bool may_overrun)
    : machine(1),
      a(machine.make(type, cq_log, may_overrun)),
      b(machine.make(type, cq_log, may_overrun)) {
    a.connect(b.here());
    b.connect(a.here());
}

}  // namespace vrdma::connectx
