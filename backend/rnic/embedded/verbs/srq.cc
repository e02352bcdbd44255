// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/verbs/srq.h"

#include <algorithm>
#include <cstring>

#include "rnic/embedded/rings/rxe_abi.h"
#include "rnic/embedded/verbs/answer.h"

namespace vrdma::embedded {
namespace {

// librxe wants to be told of the new ring in memory of the guest's, not in the answer.
bool can_tell(std::span<const rnic::UdataRegion> regions) {
    return regions.size() == 1 && regions[0].length == sizeof(mminfo);
}

size_t element_size(uint32_t max_sge) {
    return kRecvWqeHeadSize + max_sge * sizeof(Sge);
}

void tell(std::span<const rnic::UdataRegion> regions, const mminfo& info) {
    auto bytes = std::as_bytes(std::span(&info, 1));
    for (const auto& piece : regions[0].pieces) {
        const size_t here = std::min<size_t>(piece.range.size, bytes.size());
        std::memcpy(piece.range.data, bytes.data(), here);
        bytes = bytes.subspan(here);
    }
}

}  // namespace

Result<std::unique_ptr<Srq>> Srq::create(const PortServices& services, const RingPool& rings,
                                         uint32_t handle, const Pd& pd,
                                         rnic::SrqAttributes& attributes, rnic::Udata& udata) {
    Quota& quota = services.quota;
    if (attributes.max_wr == 0 || attributes.max_wr > quota.limits().max_srq_wr ||
        attributes.max_sge > kMaxSge || attributes.srq_limit > attributes.max_wr ||
        !has_room<rxe_create_srq_resp>(udata)) {
        return fail(EINVAL);
    }
    auto count = quota.take(&Usage::shared_receive_queues, quota.limits().max_srq);
    if (!count) {
        return fail(count.error());
    }
    const RingGeometry geometry =
        RingGeometry::fit(attributes.max_wr, element_size(attributes.max_sge));
    auto ring = rings.create(geometry);
    if (!ring) {
        return fail(ring.error());
    }
    attributes.max_wr = geometry.capacity();
    std::unique_ptr<Srq> srq(
        new Srq(services, rings, handle, pd, attributes, std::move(*ring), std::move(*count)));
    answer(udata, rxe_create_srq_resp{
                      .mi = srq->context_.ring().info(), .srq_num = handle + 1, .reserved = 0});
    return srq;
}

Srq::Srq(const PortServices& services, const RingPool& rings, uint32_t handle, const Pd& pd,
         const rnic::SrqAttributes& attributes, RingPool::CountedRing ring, rnic::LiveCount count)
    : context_(services.port.sink(), handle, pd, attributes,
               ConsumerRing(std::move(ring.ring), ring.index)),
      max_wr_(attributes.max_wr),
      max_sge_(attributes.max_sge),
      services_(services),
      rings_(rings),
      count_(std::move(count)),
      bytes_(std::move(ring.bytes)) {}

Result<void> Srq::save(state::Srq& srq) const {
    srq.set_handle(context_.handle());
    srq.set_max_wr(max_wr_);
    srq.set_max_sge(max_sge_);
    srq.set_srq_limit(context_.limit());
    RingPool::save(context_.ring(), context_.index(), *srq.mutable_embedded()->mutable_ring());
    return {};
}

Result<std::unique_ptr<Srq>> Srq::restore(const PortServices& services, const RingPool& rings,
                                          const Pd& pd, const state::Srq& saved) {
    Quota& quota = services.quota;
    if (!saved.has_embedded() || saved.max_sge() > kMaxSge ||
        saved.max_wr() != saved.embedded().ring().mask() || saved.srq_limit() > saved.max_wr()) {
        return fail(EINVAL);
    }
    auto count = quota.take(&Usage::shared_receive_queues, quota.limits().max_srq);
    if (!count) {
        return fail(count.error());
    }
    auto ring = rings.restore(saved.embedded().ring(), quota.limits().max_srq_wr,
                              element_size(saved.max_sge()));
    if (!ring) {
        return fail(ring.error());
    }
    const rnic::SrqAttributes attributes{
        .max_wr = saved.max_wr(), .max_sge = saved.max_sge(), .srq_limit = saved.srq_limit()};
    return std::unique_ptr<Srq>(new Srq(services, rings, saved.handle(), pd, attributes,
                                        std::move(*ring), std::move(*count)));
}

Result<void> Srq::modify(uint32_t attr_mask, const rnic::SrqAttributes& attributes,
                         rnic::Udata& udata) {
    if ((attr_mask & ~(kSrqAttrMaxWr | kSrqAttrLimit)) != 0) {
        return fail(EINVAL);
    }
    const bool resizes = (attr_mask & kSrqAttrMaxWr) != 0;
    const bool arms = (attr_mask & kSrqAttrLimit) != 0;
    // All is checked before anything changes; the limit counts for the new size.
    if (resizes &&
        (attributes.max_wr == 0 || attributes.max_wr > services_.quota.limits().max_srq_wr)) {
        return fail(EINVAL);
    }
    if (arms && attributes.srq_limit > (resizes ? attributes.max_wr : max_wr_)) {
        return fail(EINVAL);
    }
    if (resizes) {
        if (auto resized = resize(attributes.max_wr, udata.regions); !resized) {
            return resized;
        }
    }
    if (arms) {
        context_.arm_limit(attributes.srq_limit);
    }
    return {};
}

// librxe holds its lock meanwhile, so that nobody posts; it maps the new ring afterwards.
Result<void> Srq::resize(uint32_t max_wr, std::span<rnic::UdataRegion> regions) {
    // The size that its elements have is the ring's own, whatever the first max_sge was.
    auto ring = rings_.create(RingGeometry::fit(max_wr, context_.ring().element_size()));
    if (!ring) {
        return fail(ring.error());
    }
    const uint32_t capacity = ring->ring.mask();
    const mminfo info = ring->ring.info();
    if (context_.limit() > capacity || !can_tell(regions) || !context_.move_to(ring->ring)) {
        return fail(EINVAL);
    }
    tell(regions, info);
    max_wr_ = capacity;
    bytes_ = std::move(ring->bytes);
    return {};
}

Result<rnic::SrqAttributes> Srq::query() {
    return rnic::SrqAttributes{
        .max_wr = max_wr_, .max_sge = max_sge_, .srq_limit = context_.limit()};
}

}  // namespace vrdma::embedded
