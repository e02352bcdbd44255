// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/vendors/vendor_table.h"

#include <algorithm>
#include <array>

namespace vrdma::uverbs {
namespace {

constexpr std::array kTable{&kRxeEntry, &kSiwEntry, &kMlx5Entry};
constexpr UdataLengths kNoUdata{};
constexpr MmapRule kNoRule{};

}  // namespace

std::string_view to_string(Tested tested) {
    switch (tested) {
        case Tested::kOnModel:
            return "run on a model";
        case Tested::kOnDevice:
            return "tested";
        case Tested::kFromSources:
            break;
    }
    return "written from sources";
}

const UdataLengths& VendorEntry::lengths(uint16_t opcode) const {
    const auto found = std::ranges::find(udata, opcode, &UdataLengths::opcode);
    return found == udata.end() ? kNoUdata : *found;
}

const MmapRule& VendorEntry::mmap_rule(uint64_t mmap_offset) const {
    const auto found = std::ranges::find_if(
        mmap, [&](const MmapRule& rule) { return (mmap_offset & rule.mask) == rule.value; });
    return found == mmap.end() ? kNoRule : *found;
}

std::span<const VendorEntry* const> vendor_table() {
    return kTable;
}

const VendorEntry* find_vendor(uint32_t driver_id) {
    const auto found = std::ranges::find(
        kTable, driver_id, [](const VendorEntry* entry) { return uint32_t{entry->driver_id}; });
    return found == kTable.end() ? nullptr : *found;
}

}  // namespace vrdma::uverbs
