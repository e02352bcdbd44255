// SPDX-License-Identifier: Apache-2.0
#include "rnic/embedded/verbs/ucontext.h"

#include <vrdma_commands.h>

#include <cstring>
#include <limits>

#include "rnic/embedded/verbs/ah.h"
#include "rnic/embedded/verbs/qp.h"
#include "rnic/embedded/verbs/srq.h"

namespace vrdma::embedded {
namespace {

constexpr uint64_t kUnlimited = std::numeric_limits<uint64_t>::max();

template <typename T>
bool has_room(const rnic::Udata& udata) {
    return udata.out.size() >= sizeof(T);
}

template <typename T>
void answer(rnic::Udata& udata, const T& response) {
    std::memcpy(udata.out.data(), &response, sizeof(response));
    udata.out_written = sizeof(response);
}

}  // namespace

Result<std::unique_ptr<rnic::Context>> EmbeddedContext::create(Engine& engine, PortState& port) {
    auto count = LiveCount::take(engine.live.contexts, port.live.contexts, kUnlimited);
    auto memory = RingMemory::create(engine.limits.ring_bytes_per_context);
    if (!memory) return fail(memory.error());
    return std::unique_ptr<rnic::Context>(
        new EmbeddedContext(engine, port, std::move(*memory), std::move(*count)));
}

EmbeddedContext::EmbeddedContext(Engine& engine, PortState& port,
                                 std::shared_ptr<RingMemory> memory, LiveCount count)
    : engine_(engine), port_(port), memory_(std::move(memory)), count_(std::move(count)) {}

Result<rnic::MmapSource> EmbeddedContext::mmap(uint64_t offset, uint64_t length) {
    if (offset % VRDMA_SHM_PAGE_SIZE != 0 || !memory_->covers(offset, length)) {
        return fail(EINVAL);
    }
    return rnic::MmapSource{memory_->fd(), offset, VRDMA_MMAP_CACHED};
}

Result<EmbeddedContext::CountedRing> EmbeddedContext::create_ring(RingGeometry geometry) {
    auto ring = Ring::create(*memory_, geometry);
    if (!ring) return fail(ring.error());
    auto bytes =
        LiveCount::take(engine_.live.ring_bytes, port_.live.ring_bytes, kUnlimited, ring->bytes());
    return CountedRing{std::move(*ring), std::move(*bytes)};
}

Result<std::unique_ptr<rnic::ProtectionDomain>> EmbeddedContext::alloc_pd(rnic::Udata&) {
    auto count = LiveCount::take(engine_.live.protection_domains, port_.live.protection_domains,
                                 engine_.limits.max_pd);
    if (!count) return fail(ENOMEM);
    return std::make_unique<Pd>(std::move(*count));
}

Result<std::unique_ptr<rnic::MemoryRegion>> EmbeddedContext::reg_mr(rnic::ProtectionDomain& pd,
                                                                    rnic::MrAttributes attributes,
                                                                    rnic::Udata&) {
    return Mr::create(engine_, port_, static_cast<const Pd&>(pd), std::move(attributes));
}

Result<std::unique_ptr<rnic::MemoryRegion>> EmbeddedContext::get_dma_mr(
    rnic::ProtectionDomain& pd, const rnic::DmaMrAttributes& attributes) {
    return Mr::create_dma(engine_, port_, static_cast<const Pd&>(pd), attributes);
}

Result<std::unique_ptr<rnic::MemoryRegion>> EmbeddedContext::alloc_mr(
    rnic::ProtectionDomain& pd, rnic::FastMrAttributes attributes) {
    return Mr::create_fast(engine_, port_, static_cast<const Pd&>(pd), std::move(attributes));
}

Result<std::unique_ptr<rnic::MemoryWindow>> EmbeddedContext::alloc_mw(rnic::ProtectionDomain& pd,
                                                                      uint8_t type, rnic::Udata&) {
    return Mw::create(engine_, port_, static_cast<const Pd&>(pd), type);
}

Result<std::unique_ptr<rnic::CompletionQueue>> EmbeddedContext::create_cq(
    uint32_t handle, rnic::CqAttributes& attributes, rnic::Udata& udata) {
    if (attributes.flags != 0) return fail(EOPNOTSUPP);
    if (attributes.cqe == 0 || attributes.cqe > engine_.limits.max_cqe ||
        handle >= VRDMA_DB_MAX_HANDLES || port_.cqs.contains(handle) ||
        !has_room<rxe_create_cq_resp>(udata)) {
        return fail(EINVAL);
    }
    auto count = LiveCount::take(engine_.live.completion_queues, port_.live.completion_queues,
                                 engine_.limits.max_cq);
    if (!count) return fail(ENOMEM);
    auto ring = create_ring(RingGeometry::fit(attributes.cqe, kCqElementSize));
    if (!ring) return fail(ring.error());
    auto cq =
        std::make_unique<Cq>(engine_, port_, handle, attributes.comp_vector, memory_,
                             std::move(ring->ring), std::move(*count), std::move(ring->bytes));
    attributes.cqe = cq->capacity();
    answer(udata, rxe_create_cq_resp{.mi = cq->info()});
    return cq;
}

Result<std::unique_ptr<rnic::SharedReceiveQueue>> EmbeddedContext::create_srq(
    uint32_t handle, rnic::ProtectionDomain& pd, rnic::SrqAttributes& attributes,
    rnic::Udata& udata) {
    if (attributes.max_wr == 0 || attributes.max_wr > engine_.limits.max_srq_wr ||
        attributes.max_sge > kMaxSge || attributes.srq_limit > attributes.max_wr ||
        !has_room<rxe_create_srq_resp>(udata)) {
        return fail(EINVAL);
    }
    auto count = LiveCount::take(engine_.live.shared_receive_queues,
                                 port_.live.shared_receive_queues, engine_.limits.max_srq);
    if (!count) return fail(ENOMEM);
    const RingGeometry geometry =
        RingGeometry::fit(attributes.max_wr, kRecvWqeHeadSize + attributes.max_sge * sizeof(Sge));
    auto ring = create_ring(geometry);
    if (!ring) return fail(ring.error());
    attributes.max_wr = geometry.capacity();
    auto srq = std::make_unique<Srq>(engine_, port_, handle, static_cast<const Pd&>(pd), attributes,
                                     memory_, std::move(ring->ring), std::move(*count),
                                     std::move(ring->bytes));
    answer(udata, rxe_create_srq_resp{.mi = srq->info(), .srq_num = handle + 1, .reserved = 0});
    return srq;
}

Result<std::unique_ptr<rnic::QueuePair>> EmbeddedContext::create_qp(uint32_t handle, QpInit& init,
                                                                    rnic::Udata& udata) {
    if (!has_room<rxe_create_qp_resp>(udata)) return fail(EINVAL);
    auto qp = Qp::create(engine_, port_, *memory_, handle, init);
    if (!qp) return fail(qp.error());
    answer(udata, rxe_create_qp_resp{.rq_mi = (*qp)->receive_ring_info(),
                                     .sq_mi = (*qp)->send_ring_info()});
    return std::move(*qp);
}

Result<std::unique_ptr<rnic::AddressHandle>> EmbeddedContext::create_ah(
    rnic::ProtectionDomain& pd, const rnic::AhAttributes& attributes, rnic::Udata& udata) {
    if (attributes.port != 1 || !port_.has_gid(attributes.sgid_index) ||
        !has_room<rxe_create_ah_resp>(udata)) {
        return fail(EINVAL);
    }
    auto count = LiveCount::take(engine_.live.address_handles, port_.live.address_handles,
                                 engine_.limits.max_ah);
    if (!count) return fail(ENOMEM);
    auto ah = std::make_unique<Ah>(engine_, port_, static_cast<const Pd&>(pd), attributes,
                                   std::move(*count));
    answer(udata, rxe_create_ah_resp{.ah_num = ah->number(), .reserved = 0});
    return ah;
}

}  // namespace vrdma::embedded
