// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "hostile/knowledge.h"

#include "rxe_client.h"

namespace vrdma::hostile {
namespace {

constexpr size_t kRemembered = 64;

}  // namespace

void Knowledge::aim_at(uint32_t qp_number, const rnic::Gid& gid) {
    foreign_qps.push_back(qp_number);
    gids.push_back(gid);
}

uint32_t Knowledge::some(const std::vector<uint32_t>& handles) {
    if (handles.empty() || choices.one_in(16)) {
        return choices.odd_number();
    }
    return handles[choices.below(handles.size())];
}

uint64_t Knowledge::some_address() {
    const auto& regions = verbs.device().memory().regions();
    const auto& region = regions[choices.below(regions.size())];
    switch (choices.below(8)) {
        case 0:
            return choices.number();
        case 1:
            return region->start + region->size - choices.below(8192);
        default:
            return region->start + choices.below(region->size) / 4096 * 4096;
    }
}

rnic::Gid Knowledge::some_gid() {
    if (!gids.empty() && choices.one_in(2)) {
        return gids[choices.below(gids.size())];
    }
    return embedded::test::Guest::gid_of(static_cast<uint8_t>(200 + choices.below(8)));
}

std::vector<vrdma_run> Knowledge::some_runs(uint64_t& length) {
    std::vector<vrdma_run> runs(choices.below(choices.pick<uint64_t>({2, 5, 200})));
    length = 0;
    for (vrdma_run& run : runs) {
        const uint64_t piece =
            choices.one_in(16) ? choices.number() : (1 + choices.below(4)) * 4096;
        run = {.gpa = htole64(some_address()), .length = htole64(piece)};
        length += piece;
    }
    if (choices.one_in(16)) {
        length += choices.odd_number();
    }
    return runs;
}

void Knowledge::remember(std::vector<uint32_t>& list, uint32_t value) {
    if (list.size() < kRemembered) {
        list.push_back(value);
    } else {
        list[choices.below(kRemembered)] = value;
    }
}

void Knowledge::map(uint32_t uctx, const mminfo& info, uint32_t qp) {
    mminfo wanted = info;
    if (choices.one_in(16)) {
        wanted.offset += choices.odd_number();
        wanted.size = choices.odd_number();
    }
    const auto [status, ring] = verbs.try_mmap(uctx, wanted);
    if (status == 0 && verbs.reaches(ring.shm_offset, ring.length) &&
        ring.length >= sizeof(rxe_queue_buf)) {
        if (rings.size() == kRemembered) {
            rings.erase(rings.begin());
        }
        rings.push_back({uctx, ring, qp});
    }
}

}  // namespace vrdma::hostile
