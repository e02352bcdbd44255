// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/verbs/mr.h"

#include <vrdma_check.h>
#include <vrdma_kernel.h>

#include "rnic/embedded/rings/rxe_abi.h"

namespace vrdma::embedded {
namespace {

Result<void> check_range(const rnic::MrAttributes& attributes) {
    const uint64_t extent = vrdma_region_extent(attributes.length);
    if (extent - 1 > ~attributes.iova.value) {
        return fail(EINVAL);
    }
    uint64_t sum = 0;
    for (const auto& piece : attributes.pieces) {
        if (piece.range.size == 0 || piece.range.size > extent - sum) {
            return fail(EINVAL);
        }
        sum += piece.range.size;
    }
    if (sum != extent) {
        return fail(EINVAL);
    }
    return {};
}

}  // namespace

template <typename Attributes>
Mr::Mr(GuestGate& gate, KeySpace& keys, const Pd& pd, Attributes attributes, rnic::LiveCount count)
    : region_(pd, std::move(attributes)), gate_(gate), keys_(keys), count_(std::move(count)) {
    RegionTable::Room room = keys_.prepare(region_);
    const GuestGate::Pause pause(gate_);
    keys_.insert(region_, room);
}

template <typename Attributes>
Result<std::unique_ptr<Mr>> Mr::register_as(GuestGate& gate, Quota& quota, KeySpace& keys,
                                            const Pd& pd, Attributes attributes) {
    auto count = quota.take(&Usage::memory_regions, quota.limits().max_mr);
    if (!count) {
        return fail(count.error());
    }
    return std::unique_ptr<Mr>(new Mr(gate, keys, pd, std::move(attributes), std::move(*count)));
}

Result<std::unique_ptr<Mr>> Mr::create(GuestGate& gate, Quota& quota, KeySpace& keys, const Pd& pd,
                                       rnic::MrAttributes attributes) {
    if (auto checked = Region::check_access(attributes.access); !checked) {
        return fail(checked.error());
    }
    if (auto checked = check_range(attributes); !checked) {
        return fail(checked.error());
    }
    return register_as(gate, quota, keys, pd, std::move(attributes));
}

Result<std::unique_ptr<Mr>> Mr::create_dma(GuestGate& gate, Quota& quota, KeySpace& keys,
                                           const Pd& pd, const rnic::DmaMrAttributes& attributes) {
    if (auto checked = Region::check_access(attributes.access); !checked) {
        return fail(checked.error());
    }
    return register_as(gate, quota, keys, pd, attributes);
}

Result<std::unique_ptr<Mr>> Mr::create_fast(GuestGate& gate, Quota& quota, KeySpace& keys,
                                            const Pd& pd, rnic::FastMrAttributes attributes) {
    uint64_t size = 0;
    for (const auto& piece : attributes.description) {
        size += piece.range.size;
    }
    if (attributes.max_pages == 0 || attributes.max_pages > kMaxFastRegPages ||
        size != sizeof(vrdma_fast_reg) + attributes.max_pages * sizeof(uint64_t)) {
        return fail(EINVAL);
    }
    return register_as(gate, quota, keys, pd, std::move(attributes));
}

Result<void> Mr::reregister(const rnic::MrChanges& changes, rnic::ProtectionDomain* pd,
                            rnic::MrAttributes attributes, rnic::Udata&) {
    if (!region_.is_of_process()) {
        return fail(EINVAL);
    }
    if (changes.access) {
        if (auto checked = Region::check_access(attributes.access); !checked) {
            return checked;
        }
    }
    if (changes.translation) {
        if (auto checked = check_range(attributes); !checked) {
            return checked;
        }
    }
    // It goes, with what the region had before, after the Pause.
    Region::Layout layout(changes.translation ? std::move(attributes.pieces)
                                              : std::vector<memory::PinnedRange>());
    const GuestGate::Pause pause(gate_);
    if (region_.has_windows()) {
        return fail(EBUSY);
    }
    region_.change(changes, static_cast<const Pd*>(pd), attributes, layout);
    // Keys that were given to others before reach nothing of what the region is now.
    keys_.renew(region_);
    return {};
}

Result<void> Mr::deregister() {
    if (region_.has_windows()) {
        return fail(EBUSY);
    }
    return {};
}

Mr::~Mr() {
    {
        const GuestGate::Pause pause(gate_);
        keys_.erase(region_);
    }
    keys_.forget(region_);
    // No window is bound to the region from here on.
    for (uint32_t done = 0; region_.has_windows() && done < keys_.windows().size();) {
        const GuestGate::Pause pause(gate_);
        done = keys_.forget_windows(region_, done);
    }
}

}  // namespace vrdma::embedded
