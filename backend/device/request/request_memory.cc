// SPDX-License-Identifier: Apache-2.0
#include "device/request/request_memory.h"

#include <endian.h>
#include <vrdma_commands.h>

#include <algorithm>
#include <cstring>

namespace vrdma::device {
namespace {

template <typename Request>
Request as(std::span<const std::byte> request) {
    Request typed;
    std::memcpy(&typed, request.data(), sizeof(typed));
    return typed;
}

// The first run begins where the pointer does within its page: the RNIC puts the pieces
// together by pages.
bool begins_at(const RequestedRegion& region, uint64_t start) {
    return !region.runs.empty() &&
           ((le64toh(region.runs.front().gpa) ^ start) & (VRDMA_SHM_PAGE_SIZE - 1)) == 0;
}

}  // namespace

vrdma_udata_counts udata_counts(uint16_t opcode, std::span<const std::byte> request) {
    vrdma_udata_counts counts{};
    switch (opcode) {
        case VRDMA_CMD_CREATE_CQ:
            counts.cqe = le32toh(as<vrdma_cmd_create_cq>(request).cqe);
            break;
        case VRDMA_CMD_CREATE_SRQ:
            counts.max_wr = le32toh(as<vrdma_cmd_create_srq>(request).max_wr);
            counts.max_sge = le32toh(as<vrdma_cmd_create_srq>(request).max_sge);
            break;
        case VRDMA_CMD_MODIFY_SRQ:
            counts.max_wr = le32toh(as<vrdma_cmd_modify_srq>(request).max_wr);
            break;
        default:
            break;
    }
    return counts;
}

Result<MemoryUse> check_regions(std::span<const vrdma_udata_pointer> pointers, uint16_t opcode,
                                std::span<const std::byte> udata, const vrdma_udata_counts& counts,
                                std::span<const RequestedRegion> regions) {
    MemoryUse lasting;
    size_t wanted = 0;
    for (const vrdma_udata_pointer& pointer : pointers) {
        if (le16toh(pointer.opcode) != opcode) {
            continue;
        }
        __u64 start = 0;
        __u64 length = 0;
        const int named =
            vrdma_udata_memory(&pointer, udata.data(), udata.size(), &counts, &start, &length);
        if (named < 0) {
            return fail(EINVAL);
        }
        if (named == 0) {
            continue;
        }
        const auto region =
            std::ranges::find(regions, le16toh(pointer.offset), &RequestedRegion::offset);
        if (region == regions.end()) {
            return fail(EFAULT);
        }
        if (region->length != length || !begins_at(*region, start)) {
            return fail(EINVAL);
        }
        ++wanted;
        if ((le32toh(pointer.flags) & VRDMA_UDATA_POINTER_LASTING) != 0) {
            lasting.bytes += length;
            lasting.runs += region->runs.size();
        }
    }
    // One that nothing asks for, or a second one for the same pointer.
    if (regions.size() != wanted) {
        return fail(EINVAL);
    }
    return lasting;
}

}  // namespace vrdma::device
