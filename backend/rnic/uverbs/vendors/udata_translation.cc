// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/vendors/udata_translation.h"

#include <endian.h>
#include <fmt/format.h>
#include <vrdma_protocol.h>

#include <algorithm>
#include <cstring>

namespace vrdma::uverbs {
namespace {

constexpr size_t kWord = 4;  // bytes; the kernel counts in these

bool fits(const UdataLengths& lengths, const rnic::Udata& udata) {
    return udata.in.size() >= lengths.in_min && udata.in.size() <= lengths.in_max &&
           udata.out.size() <= lengths.out_max && udata.in.size() % kWord == 0 &&
           udata.out.size() % kWord == 0;
}

// The u64 at `offset`; none when the bytes end before.
std::byte* u64_at(std::vector<std::byte>& bytes, size_t offset) {
    return bytes.size() < sizeof(uint64_t) || offset > bytes.size() - sizeof(uint64_t)
               ? nullptr
               : bytes.data() + offset;
}

uint64_t load_u64(const std::byte* from) {
    uint64_t value;
    std::memcpy(&value, from, sizeof(value));
    return value;
}

void store_u64(std::byte* to, uint64_t value) {
    std::memcpy(to, &value, sizeof(value));
}

}  // namespace

Result<UdataTranslation> UdataTranslation::make(const VendorEntry& vendor, uint16_t opcode,
                                                rnic::Udata& udata, memory::MappingBudget& budget,
                                                std::string& reason) {
    const UdataLengths& lengths = vendor.lengths(opcode);
    if (!fits(lengths, udata)) {
        reason = fmt::format(
            "the guest's library sends {} private bytes and has room for {}, {} expects {} to {} "
            "and room for at most {} (another version of the library?)",
            udata.in.size(), udata.out.size(), vendor.name, lengths.in_min, lengths.in_max,
            lengths.out_max);
        return fail(EINVAL);
    }
    UdataTranslation translation(udata);
    if (auto withheld = translation.withhold(vendor, opcode, reason); !withheld) {
        return fail(withheld.error());
    }
    for (const vrdma_udata_pointer& pointer : vendor.pointers) {
        if (le16toh(pointer.opcode) != opcode) {
            continue;
        }
        if (auto translated = translation.translate(pointer, budget, reason); !translated) {
            return fail(translated.error());
        }
    }
    return translation;
}

Result<void> UdataTranslation::withhold(const VendorEntry& vendor, uint16_t opcode,
                                        std::string& reason) {
    for (const WithheldBits& withheld : vendor.withheld) {
        std::byte* field = u64_at(in_, withheld.offset);
        if (withheld.opcode != opcode || field == nullptr ||
            (load_u64(field) & withheld.bits) == 0) {
            continue;
        }
        if (withheld.action == WithheldBits::Action::kRefuse) {
            reason = fmt::format("the guest's library asks for what {} is not given (bits {:#x})",
                                 vendor.name, withheld.bits);
            return fail(EOPNOTSUPP);
        }
        store_u64(field, load_u64(field) & ~withheld.bits);
    }
    return {};
}

Result<void> UdataTranslation::translate(const vrdma_udata_pointer& pointer,
                                         memory::MappingBudget& budget, std::string& reason) {
    const uint16_t offset = le16toh(pointer.offset);
    std::byte* field = u64_at(in_, offset);
    if (field == nullptr || load_u64(field) == 0) {
        return {};
    }
    const uint64_t guest_address = load_u64(field);
    const auto region = std::ranges::find(udata_->regions, offset, &rnic::UdataRegion::offset);
    if (region == udata_->regions.end()) {
        reason = fmt::format("the guest sends no memory for the pointer at byte {}", offset);
        return fail(EFAULT);
    }
    // With VRDMA_UDATA_POINTER_PAGES the region begins at the page.
    const uint64_t in_page = guest_address % VRDMA_SHM_PAGE_SIZE;
    const bool whole_pages = (le32toh(pointer.flags) & VRDMA_UDATA_POINTER_PAGES) != 0;
    auto mapping =
        memory::StitchedMapping::make(region->pieces, whole_pages ? 0 : in_page, budget, reason);
    if (!mapping) {
        return fail(mapping.error());
    }
    store_u64(field, reinterpret_cast<uintptr_t>(mapping->data()) + (whole_pages ? in_page : 0));
    mappings_.push_back(std::move(*mapping));
    return {};
}

}  // namespace vrdma::uverbs
