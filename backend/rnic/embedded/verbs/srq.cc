// SPDX-License-Identifier: Apache-2.0
#include "rnic/embedded/verbs/srq.h"

#include <algorithm>
#include <cstring>
#include <mutex>

#include "rnic/embedded/engine.h"

namespace vrdma::embedded {

namespace {

// Where librxe wants to be told of the new ring: in memory of the guest's, not in the answer.
bool tell(std::span<const rnic::UdataRegion> regions, const mminfo& info) {
    auto bytes = std::as_bytes(std::span(&info, 1));
    if (regions.size() != 1 || regions[0].length != bytes.size()) return false;
    for (const auto& piece : regions[0].pieces) {
        const size_t here = std::min<size_t>(piece.range.size, bytes.size());
        std::memcpy(piece.range.data, bytes.data(), here);
        bytes = bytes.subspan(here);
    }
    return bytes.empty();
}

}  // namespace

Srq::Srq(Engine& engine, PortState& port, uint32_t handle, const Pd& pd,
         rnic::SrqAttributes attributes, std::shared_ptr<RingMemory> memory, Ring ring,
         LiveCount count, LiveCount bytes)
    : queue_(std::move(ring), attributes.max_sge),
      attributes_(attributes),
      handle_(handle),
      pd_(pd),
      port_(port),
      engine_(engine),
      memory_(std::move(memory)),
      count_(std::move(count)),
      bytes_(std::move(bytes)) {}

Result<void> Srq::modify(uint32_t attr_mask, const rnic::SrqAttributes& attributes,
                         rnic::Udata& udata) {
    if ((attr_mask & ~(kSrqAttrMaxWr | kSrqAttrLimit)) != 0) return fail(EINVAL);
    const bool resizes = (attr_mask & kSrqAttrMaxWr) != 0;
    const bool arms = (attr_mask & kSrqAttrLimit) != 0;
    // All is checked before anything changes; the limit counts for the new size.
    if (resizes && (attributes.max_wr == 0 || attributes.max_wr > engine_.limits.max_srq_wr)) {
        return fail(EINVAL);
    }
    if (arms && attributes.srq_limit > (resizes ? attributes.max_wr : attributes_.max_wr)) {
        return fail(EINVAL);
    }
    if (resizes) {
        if (auto resized = resize(attributes.max_wr, udata.regions); !resized) return resized;
    }
    return arms ? arm_limit(attributes.srq_limit) : Result<void>();
}

// librxe holds its lock meanwhile, so that nobody posts; it maps the new ring afterwards.
Result<void> Srq::resize(uint32_t max_wr, std::span<rnic::UdataRegion> regions) {
    // The size that its elements have is the ring's own, whatever the first max_sge was.
    auto ring =
        Ring::create(*memory_, RingGeometry::fit(max_wr, queue_.ring().ring().element_size()));
    if (!ring) return fail(ring.error());
    auto bytes = LiveCount::take(engine_.live.ring_bytes, port_.live.ring_bytes, ~uint64_t{0},
                                 ring->bytes());
    const uint32_t capacity = ring->mask();
    {
        Gate::Pause pause(engine_.gate);
        if (attributes_.srq_limit > capacity || !tell(regions, ring->info()) ||
            !queue_.ring().move_to(*ring)) {
            return fail(EINVAL);
        }
        attributes_.max_wr = capacity;
    }
    bytes_.emplace(std::move(*bytes));
    return {};
}

Result<void> Srq::arm_limit(uint32_t limit) {
    bool reached;
    {
        std::lock_guard lock(lock_);
        attributes_.srq_limit = limit;
        // IBTA 1.4, 10.2.9: arming a queue that is below the limit already reports at once.
        reached = queue_.ring().pending() < attributes_.srq_limit;
        if (reached) attributes_.srq_limit = 0;
    }
    if (reached) port_.sink.async_event(rnic::AsyncEventType::kSrqLimitReached, handle_);
    return {};
}

Result<rnic::SrqAttributes> Srq::query() {
    std::lock_guard lock(lock_);
    return attributes_;
}

std::optional<WcStatus> Srq::take(ReceiveRequest& request) {
    WcStatus status;
    bool reached = false;
    {
        std::lock_guard lock(lock_);
        if (queue_.empty()) return std::nullopt;
        status = queue_.take(request);
        if (attributes_.srq_limit != 0) [[unlikely]] {
            reached = queue_.ring().pending() < attributes_.srq_limit;
            if (reached) attributes_.srq_limit = 0;
        }
    }
    if (reached) [[unlikely]] {
        port_.sink.async_event(rnic::AsyncEventType::kSrqLimitReached, handle_);
    }
    return status;
}

}  // namespace vrdma::embedded
