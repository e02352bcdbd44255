// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "memory/mapping_budget.h"

#include <fmt/format.h>

#include <fstream>

namespace vrdma::memory {
namespace {

// The part of the kernel's limit that is kept for all else that this process maps: guest RAM,
// stacks, heaps.
constexpr uint64_t kKeptFreePart = 8;

// The kernel's own default, in case /proc is not there (DEFAULT_MAX_MAP_COUNT, mm.h).
constexpr uint64_t kDefaultLimit = 65530;

uint64_t read_limit(const std::filesystem::path& sysctl) {
    uint64_t limit = 0;
    std::ifstream(sysctl) >> limit;
    return limit == 0 ? kDefaultLimit : limit;
}

}  // namespace

MappingBudget::Share::~Share() {
    if (budget_ != nullptr) {
        budget_->give_back(count_);
    }
}

MappingBudget::MappingBudget(std::filesystem::path sysctl) : sysctl_(std::move(sysctl)) {}

Result<MappingBudget::Share> MappingBudget::take(uint64_t count, std::string& reason) {
    // Read each time: the operator follows the advice below while the daemon runs.
    const uint64_t limit = read_limit(sysctl_);
    const uint64_t budget = limit - limit / kKeptFreePart;
    const std::lock_guard lock(mutex_);
    if (count > budget || used_ > budget - count) {
        const uint64_t wanted = used_ + count;
        reason = fmt::format(
            "{} memory mappings are needed{}, one for each contiguous piece, and of "
            "vm.max_map_count, which is {}, {} are for this; set sysctl vm.max_map_count={} or "
            "more, or use huge pages in the guest",
            count,
            used_ == 0
                ? ""
                : fmt::format(" besides the {} of other registrations at this moment", used_),
            limit, budget, wanted + wanted / (kKeptFreePart - 1) + 1);
        return fail(ENOMEM);
    }
    used_ += count;
    return Share(this, count);
}

void MappingBudget::give_back(uint64_t count) {
    const std::lock_guard lock(mutex_);
    used_ -= count;
}

}  // namespace vrdma::memory
