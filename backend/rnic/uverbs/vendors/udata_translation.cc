// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/vendors/udata_translation.h"

#include <endian.h>
#include <fmt/format.h>
#include <vrdma_protocol.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace vrdma::uverbs {
namespace {

constexpr size_t kWord = 4;  // bytes; the kernel counts in these

bool fits(const UdataLengths& lengths, const rnic::Udata& udata) {
    return udata.in.size() >= lengths.in_min && udata.in.size() <= lengths.in_max &&
           udata.out.size() <= lengths.out_max && udata.in.size() % kWord == 0 &&
           udata.out.size() % kWord == 0;
}

// load() and store() have the first bytes of a u64 for a field that is shorter.
static_assert(std::endian::native == std::endian::little);

// The field of `size` bytes at `offset`, or null: the libraries of a verb may end before it. EINVAL
// when the bytes end within the field: the kernel would take the part for the whole.
Result<std::byte*> field_at(std::vector<std::byte>& bytes, size_t offset, size_t size,
                            std::string& reason) {
    if (offset >= bytes.size()) {
        return nullptr;
    }
    if (bytes.size() - offset < size) {
        reason = fmt::format("the guest's {} private bytes end within the field at byte {}",
                             bytes.size(), offset);
        return fail(EINVAL);
    }
    return bytes.data() + offset;
}

uint64_t load(const std::byte* from, size_t size) {
    uint64_t value = 0;
    std::memcpy(&value, from, size);
    return value;
}

void store(std::byte* to, uint64_t value, size_t size) {
    std::memcpy(to, &value, size);
}

}  // namespace

Result<UdataTranslation> UdataTranslation::make(const VendorEntry& vendor, uint16_t opcode,
                                                rnic::Udata& udata, memory::MappingBudget& budget,
                                                Refusal& refusal) {
    const UdataLengths& lengths = vendor.lengths(opcode);
    if (!fits(lengths, udata)) {
        refusal.reason = fmt::format(
            "the guest's library sends {} private bytes and has room for {}, {} expects {} to {} "
            "and room for at most {} (another version of the library?)",
            udata.in.size(), udata.out.size(), vendor.name, lengths.in_min, lengths.in_max,
            lengths.out_max);
        return fail(EINVAL);
    }
    UdataTranslation translation(vendor, opcode, udata);
    if (auto withheld = translation.withhold(vendor, opcode, refusal); !withheld) {
        return fail(withheld.error());
    }
    for (const vrdma_udata_pointer& pointer : vendor.pointers) {
        if (le16toh(pointer.opcode) != opcode) {
            continue;
        }
        if (auto translated = translation.translate(pointer, budget, refusal.reason); !translated) {
            return fail(translated.error());
        }
    }
    return translation;
}

Result<void> UdataTranslation::withhold(const VendorEntry& vendor, uint16_t opcode,
                                        Refusal& refusal) {
    using Action = WithheldBits::Action;
    for (const WithheldBits& withheld : vendor.withheld) {
        if (withheld.opcode != opcode || withheld.action == Action::kHide) {
            continue;
        }
        const auto field = field_at(in_, withheld.offset, withheld.size, refusal.reason);
        if (!field) {
            return fail(field.error());
        }
        if (*field == nullptr || (load(*field, withheld.size) & withheld.bits) == 0) {
            continue;
        }
        if (withheld.action != Action::kClear) {
            refusal.reason =
                fmt::format("the guest's library asks for what {} is not given (bits {:#x})",
                            vendor.name, withheld.bits);
            refusal.expected = withheld.action == Action::kDecline;
            return fail(EOPNOTSUPP);
        }
        store(*field, load(*field, withheld.size) & ~withheld.bits, withheld.size);
    }
    return {};
}

void UdataTranslation::answered() {
    for (const WithheldBits& hidden : vendor_->withheld) {
        if (hidden.action == WithheldBits::Action::kHide && hidden.opcode == opcode_ &&
            udata_->out.size() >= size_t{hidden.offset} + hidden.size) {
            std::byte* field = udata_->out.data() + hidden.offset;
            store(field, load(field, hidden.size) & ~hidden.bits, hidden.size);
        }
    }
    udata_->out_written = udata_->out.size();
}

Result<void> UdataTranslation::translate(const vrdma_udata_pointer& pointer,
                                         memory::MappingBudget& budget, std::string& reason) {
    const uint16_t offset = le16toh(pointer.offset);
    const auto field = field_at(in_, offset, sizeof(uint64_t), reason);
    if (!field) {
        return fail(field.error());
    }
    const uint64_t guest_address = *field == nullptr ? 0 : load(*field, sizeof(uint64_t));
    if (guest_address == 0) {
        return {};
    }
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
    store(*field, reinterpret_cast<uintptr_t>(mapping->data()) + (whole_pages ? in_page : 0),
          sizeof(uint64_t));
    mappings_.push_back(std::move(*mapping));
    return {};
}

}  // namespace vrdma::uverbs
