// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// RNIC memory and the doorbell area in the guest's shared memory region.
#include "device/verbs/mmap.h"

#include <utility>

#include "device/verbs/verbs.h"
#include "state/device.pb.h"

namespace vrdma::device {

Result<uint64_t> Mappings::map(uint32_t uctx, int fd, uint64_t offset, uint64_t length) {
    auto number = number_.charge();
    if (!number) {
        return fail(number.error());
    }
    auto bytes = bytes_.charge(length);
    if (!bytes) {
        return fail(bytes.error());
    }
    auto shm_offset = shm_.map({.uctx = uctx, .fd = fd, .fd_offset = offset, .length = length});
    if (shm_offset) {
        mappings_.emplace(*shm_offset, Mapping{.uctx = uctx,
                                               .length = length,
                                               .number = std::move(*number),
                                               .bytes = std::move(*bytes)});
    }
    return shm_offset;
}

Result<void> Mappings::unmap(uint32_t uctx, uint64_t shm_offset, uint64_t length) {
    auto found = mappings_.find(shm_offset);
    if (found == mappings_.end() || found->second.uctx != uctx || found->second.length != length) {
        return fail(EINVAL);
    }
    shm_.unmap(shm_offset, length);
    mappings_.erase(found);
    return {};
}

void Mappings::unmap_owned(uint32_t uctx) {
    shm_.drop_unclaimed(uctx);
    std::erase_if(mappings_, [&](const auto& entry) {
        if (entry.second.uctx != uctx) {
            return false;
        }
        shm_.unmap(entry.first, entry.second.length);
        return true;
    });
}

Result<uint64_t> Mappings::map_doorbells() {
    if (!doorbells_mapped_) {
        auto shm_offset = shm_.map({.uctx = VRDMA_NO_HANDLE,
                                    .fd = doorbells_.fd,
                                    .fd_offset = 0,
                                    .length = doorbells_.length});
        if (!shm_offset) {
            return shm_offset;
        }
        doorbells_offset_ = *shm_offset;
        doorbells_mapped_ = true;
    }
    return doorbells_offset_;
}

void Mappings::save(state::Session& state) const {
    for (const auto& [shm_offset, mapping] : mappings_) {
        state::Mapping& saved = *state.add_mappings();
        saved.set_shm_offset(shm_offset);
        saved.set_length(mapping.length);
        saved.set_uctx(mapping.uctx);
    }
    if (doorbells_mapped_) {
        state.set_doorbells_offset(doorbells_offset_);
    }
    if (const auto unclaimed = shm_.unclaimed()) {
        state::UnclaimedMapping& saved = *state.mutable_unclaimed_mapping();
        saved.set_shm_offset(unclaimed->shm_offset);
        saved.set_length(unclaimed->source.length);
        saved.set_uctx(unclaimed->source.uctx);
        saved.set_file_offset(unclaimed->source.fd_offset);
    }
}

Result<void> Mappings::restore(const state::Session& state) {
    for (const state::Mapping& saved : state.mappings()) {
        if (auto adopted = shm_.adopt(saved.shm_offset(), saved.length()); !adopted) {
            return adopted;
        }
        mappings_.emplace(saved.shm_offset(), Mapping{.uctx = saved.uctx(),
                                                      .length = saved.length(),
                                                      .number = number_.take(),
                                                      .bytes = bytes_.take(saved.length())});
    }
    if (state.has_doorbells_offset()) {
        doorbells_offset_ = state.doorbells_offset();
        doorbells_mapped_ = true;
        if (auto adopted = shm_.adopt(doorbells_offset_, doorbells_.length); !adopted) {
            return adopted;
        }
    }
    if (state.has_unclaimed_mapping()) {
        const state::UnclaimedMapping& saved = state.unclaimed_mapping();
        return shm_.adopt_unclaimed({.source = {.uctx = saved.uctx(),
                                                .fd = -1,
                                                .fd_offset = saved.file_offset(),
                                                .length = saved.length()},
                                     .shm_offset = saved.shm_offset()});
    }
    return {};
}

namespace verb {
namespace {

// The errno of a mapping that failed.  ECANCELED has the command executed again later.
tl::unexpected<Errno> fail_to_map(Call& call, Errno error) {
    call.cancelled = error == Errno{ECANCELED};
    return fail(error);
}

}  // namespace

Result<void> map_doorbells(Verbs& verbs, Call& call, const vrdma_cmd_empty&,
                           vrdma_rsp_map_doorbells& response) {
    auto shm_offset = verbs.mappings().map_doorbells();
    if (!shm_offset) {
        return fail_to_map(call, shm_offset.error());
    }
    response.shm_offset = htole64(*shm_offset);
    response.length = htole64(verbs.mappings().doorbells().length);
    return {};
}

Result<void> mmap(Verbs& verbs, Call& call, const vrdma_cmd_mmap& request,
                  vrdma_rsp_mmap& response) {
    auto context = verbs.objects().context(call.uctx);
    if (!context) {
        return fail(context.error());
    }
    if (auto room = verbs.mappings().check_limit(); !room) {
        return room;
    }
    const uint64_t length = le64toh(request.length);
    auto source = (*context)->mmap(le64toh(request.offset), length);
    if (!source) {
        return fail(source.error());
    }
    auto shm_offset = verbs.mappings().map(call.uctx, source->fd, source->offset, length);
    if (!shm_offset) {
        return fail_to_map(call, shm_offset.error());
    }
    response.shm_offset = htole64(*shm_offset);
    response.caching = htole32(source->caching);
    return {};
}

Result<void> munmap(Verbs& verbs, Call& call, const vrdma_cmd_munmap& request, vrdma_rsp_empty&) {
    return verbs.mappings().unmap(call.uctx, le64toh(request.shm_offset), le64toh(request.length));
}

}  // namespace verb
}  // namespace vrdma::device
