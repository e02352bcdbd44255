// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/vendors/vendor_table.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace vrdma::uverbs {
namespace {

constexpr std::array kTable{&kRxeEntry,    &kSiwEntry,   &kMlx5Entry,  &kMlx4Entry,
                            &kBnxtReEntry, &kIrdmaEntry, &kCxgb4Entry, &kHnsEntry};
constexpr UdataLengths kNoUdata{};
constexpr MmapRule kNoRule{};

std::optional<uint32_t> u32_at(std::span<const std::byte> bytes, size_t offset) {
    uint32_t value;
    if (bytes.size() < sizeof(value) || offset > bytes.size() - sizeof(value)) {
        return std::nullopt;
    }
    std::memcpy(&value, bytes.data() + offset, sizeof(value));
    return value;
}

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

const MmapRule* VendorEntry::find_mmap_rule(uint64_t mmap_offset) const {
    const auto found = std::ranges::find_if(
        mmap, [&](const MmapRule& rule) { return (mmap_offset & rule.mask) == rule.value; });
    return found == mmap.end() ? nullptr : &*found;
}

const MmapRule& VendorEntry::mmap_rule(uint64_t mmap_offset) const {
    const MmapRule* rule = find_mmap_rule(mmap_offset);
    return rule == nullptr ? kNoRule : *rule;
}

std::optional<std::vector<vrdma_udata_pointer>> pointers_on_device(
    const VendorEntry& vendor, std::span<const std::byte> answer) {
    std::vector<vrdma_udata_pointer> pointers(vendor.pointers.begin(), vendor.pointers.end());
    for (const DeviceScale& scale : vendor.device_scales) {
        const auto value = u32_at(answer, scale.answer_offset);
        if (!value) {
            return std::nullopt;
        }
        for (vrdma_udata_pointer& pointer : pointers) {
            if (pointer.opcode == scale.opcode && pointer.offset == scale.pointer_offset) {
                pointer.terms[0].scale = VRDMA_SCALE_CONSTANT;
                pointer.terms[0].scale_a = *value;
            }
        }
    }
    return pointers;
}

bool describes_device(const VendorEntry& vendor, std::span<const std::byte> answer) {
    const DeviceModels& models = vendor.models;
    if (models.values.empty()) {
        return true;
    }
    const auto value = u32_at(answer, models.offset);
    return value && std::ranges::find(models.values, *value & models.mask) != models.values.end();
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
