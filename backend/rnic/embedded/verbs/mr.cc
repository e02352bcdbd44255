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

Result<void> check_description(const rnic::FastMrAttributes& attributes) {
    uint64_t size = 0;
    for (const auto& piece : attributes.description) {
        size += piece.range.size;
    }
    if (attributes.max_pages == 0 || attributes.max_pages > kMaxFastRegPages ||
        size != sizeof(vrdma_fast_reg) + attributes.max_pages * sizeof(uint64_t)) {
        return fail(EINVAL);
    }
    return {};
}

// `saved` is a state::Run or a state::EmbeddedRun.
void save_run(const GuestRun& run, auto& saved) {
    saved.set_address(run.address);
    saved.set_length(run.length);
}

// The memory of all the region's runs; its sum is at most `most` bytes. EINVAL, or EFAULT.
Result<std::vector<memory::PinnedRange>> pin(const state::Mr& saved, uint64_t most,
                                             const memory::GuestMemory& memory) {
    std::vector<memory::PinnedRange> pieces;
    for (const state::Run& run : saved.runs()) {
        if (run.length() > most) {
            return fail(EINVAL);
        }
        most -= run.length();
        auto piece = memory.pin({run.address()}, run.length());
        if (!piece) {
            return fail(piece.error());
        }
        pieces.push_back(std::move(*piece));
    }
    return pieces;
}

void save_registered(const Region::Registered& now, state::EmbeddedMr& saved) {
    saved.set_key(now.key);
    saved.set_valid(now.valid);
    saved.set_access(now.access);
    saved.set_iova(now.iova);
    saved.set_length(now.length);
    for (const GuestRun& run : now.runs) {
        save_run(run, *saved.add_runs());
    }
}

Region::Registered restore_registered(const state::EmbeddedMr& saved) {
    Region::Registered registered{.key = saved.key(),
                                  .valid = saved.valid(),
                                  .access = saved.access(),
                                  .iova = saved.iova(),
                                  .length = saved.length(),
                                  .runs = {}};
    for (const state::EmbeddedRun& run : saved.runs()) {
        registered.runs.push_back({run.address(), run.length()});
    }
    return registered;
}

}  // namespace

template <typename Attributes>
Mr::Mr(GuestGate& gate, KeySpace& keys, const Pd& pd, Attributes attributes, rnic::LiveCount count)
    : region_(pd, std::move(attributes)), gate_(gate), keys_(keys), count_(std::move(count)) {}

template <typename Attributes>
Result<std::unique_ptr<Mr>> Mr::make(GuestGate& gate, Quota& quota, KeySpace& keys, const Pd& pd,
                                     Attributes attributes) {
    auto count = quota.take(&Usage::memory_regions, quota.limits().max_mr);
    if (!count) {
        return fail(count.error());
    }
    return std::unique_ptr<Mr>(new Mr(gate, keys, pd, std::move(attributes), std::move(*count)));
}

template <typename Attributes>
Result<std::unique_ptr<Mr>> Mr::register_as(GuestGate& gate, Quota& quota, KeySpace& keys,
                                            const Pd& pd, Attributes attributes) {
    auto mr = make(gate, quota, keys, pd, std::move(attributes));
    if (!mr) {
        return mr;
    }
    Region& region = (*mr)->region_;
    RegionTable::Room room = keys.prepare(region);
    const GuestGate::Pause pause(gate);
    keys.insert(region, room);
    return mr;
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
    if (auto checked = check_description(attributes); !checked) {
        return fail(checked.error());
    }
    return register_as(gate, quota, keys, pd, std::move(attributes));
}

Result<void> Mr::save(state::Mr& mr) const {
    state::EmbeddedMr& saved = *mr.mutable_embedded();
    saved.set_first_key(region_.first_key());
    if (region_.max_pages() != 0) {
        mr.set_kind(state::Mr::FAST);
        saved.set_max_pages(region_.max_pages());
        std::vector<GuestRun> description;
        for (const auto& piece : region_.description()) {
            if (!append_runs({&piece.region, 1}, piece.range.data, piece.range.size, description)) {
                return fail(EFAULT);
            }
        }
        for (const GuestRun& run : description) {
            save_run(run, *mr.add_runs());
        }
        const auto registered = region_.registered();
        if (!registered) {
            return fail(EFAULT);
        }
        save_registered(*registered, saved);
        return {};
    }
    mr.set_access(region_.access());
    mr.set_iova(region_.iova());
    if (region_.is_dma()) {
        mr.set_kind(state::Mr::DMA);
        return {};
    }
    mr.set_kind(state::Mr::PROCESS);
    mr.set_length(region_.length());
    const auto runs = region_.runs();
    if (!runs) {
        return fail(EFAULT);
    }
    for (const GuestRun& run : *runs) {
        save_run(run, *mr.add_runs());
    }
    return {};
}

Result<std::unique_ptr<Mr>> Mr::restore(GuestGate& gate, Quota& quota, KeySpace& keys, const Pd& pd,
                                        const state::Mr& saved, const memory::GuestMemory& memory) {
    if (!saved.has_embedded()) {
        return fail(EINVAL);
    }
    auto mr = restore_region(gate, quota, keys, pd, saved, memory);
    if (!mr) {
        return mr;
    }
    Region& region = (*mr)->region_;
    keys.follow_memory(region);
    const GuestGate::Pause pause(gate);
    if (auto inserted = keys.regions().insert_at(region, saved.embedded().first_key()); !inserted) {
        return fail(inserted.error());
    }
    if (region.max_pages() != 0) {
        auto restored = region.restore(restore_registered(saved.embedded()), keys.guest_memory());
        if (!restored) {
            return fail(restored.error());
        }
    }
    return mr;
}

// The region without its key.
Result<std::unique_ptr<Mr>> Mr::restore_region(GuestGate& gate, Quota& quota, KeySpace& keys,
                                               const Pd& pd, const state::Mr& saved,
                                               const memory::GuestMemory& memory) {
    if (auto checked = Region::check_access(saved.access()); !checked) {
        return fail(checked.error());
    }
    switch (saved.kind()) {
        case state::Mr::PROCESS: {
            auto pieces = pin(saved, vrdma_region_extent(saved.length()), memory);
            if (!pieces) {
                return fail(pieces.error());
            }
            rnic::MrAttributes attributes{.start = {saved.start()},
                                          .iova = {saved.iova()},
                                          .length = saved.length(),
                                          .access = saved.access(),
                                          .pieces = std::move(*pieces)};
            if (auto checked = check_range(attributes); !checked) {
                return fail(checked.error());
            }
            return make(gate, quota, keys, pd, std::move(attributes));
        }
        case state::Mr::DMA:
            return make(gate, quota, keys, pd,
                        rnic::DmaMrAttributes{.base = saved.iova(), .access = saved.access()});
        case state::Mr::FAST: {
            constexpr uint64_t kLargest = uint64_t{1} << 20;  // check_description() says how large
            auto description = pin(saved, kLargest, memory);
            if (!description) {
                return fail(description.error());
            }
            rnic::FastMrAttributes attributes{.max_pages = saved.embedded().max_pages(),
                                              .description = std::move(*description)};
            if (auto checked = check_description(attributes); !checked) {
                return fail(checked.error());
            }
            return make(gate, quota, keys, pd, std::move(attributes));
        }
        default:
            return fail(EINVAL);
    }
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
    if (region_.first_key() != 0) {
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
