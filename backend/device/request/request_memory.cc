// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "device/request/request_memory.h"

#include <endian.h>
#include <vrdma_udata_memory.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace vrdma::device {
namespace {

// A region as the request describes it; a private copy.
struct RequestedRegion {
    uint16_t offset = 0;
    uint64_t length = 0;  // bytes
    std::span<const vrdma_run> runs{};
    bool lasting = false;  // the object that is made keeps it in use
};

template <typename Request>
Request as(std::span<const std::byte> request) {
    Request typed;
    std::memcpy(&typed, request.data(), sizeof(typed));
    return typed;
}

// Whether the first run begins at the same place within its page as the pointer: the RNIC puts
// the pieces together by pages.
bool begins_at(const RequestedRegion& region, uint64_t start) {
    return !region.runs.empty() &&
           ((le64toh(region.runs.front().gpa) ^ start) & (VRDMA_SHM_PAGE_SIZE - 1)) == 0;
}

// The attributes in a request that the length of memory behind a user pointer may depend on, by
// their names in its structure.
template <typename Request>
vrdma_udata_counts counts_of(std::span<const std::byte> request) {
    const auto typed = as<Request>(request);
    vrdma_udata_counts counts{};
    if constexpr (requires { typed.cqe; }) {
        counts.cqe = le32toh(typed.cqe);
    }
    if constexpr (requires { typed.max_wr; }) {
        counts.max_wr = le32toh(typed.max_wr);
    }
    if constexpr (requires { typed.max_sge; }) {
        counts.max_sge = le32toh(typed.max_sge);
    }
    if constexpr (requires { typed.cap.max_send_wr; }) {
        counts.max_wr = le32toh(typed.cap.max_recv_wr);
        counts.max_sge = le32toh(typed.cap.max_recv_sge);
        counts.max_send_wr = le32toh(typed.cap.max_send_wr);
    }
    return counts;
}

struct CommandCounts {
    uint16_t opcode;
    vrdma_udata_counts (*counts)(std::span<const std::byte> request);
};

constexpr CommandCounts kCommandCounts[] = {
#define VRDMA_ROW(NAME, name, opcode, request, response, feature, flags) \
    {VRDMA_CMD_##NAME, counts_of<struct request>},
    VRDMA_COMMANDS(VRDMA_ROW)
#undef VRDMA_ROW
};

vrdma_udata_counts udata_counts(uint16_t opcode, std::span<const std::byte> request) {
    const auto* row = std::ranges::find(kCommandCounts, opcode, &CommandCounts::opcode);
    return row == std::end(kCommandCounts) ? vrdma_udata_counts{} : row->counts(request);
}

// Sees that `regions` are the memory that the user pointers in `udata` name, no more and no
// less.  Whether their runs are guest memory is not looked at.  EFAULT for a pointer without
// its region, EINVAL for all else that does not fit.  Marks the lasting regions.
Result<void> check_regions(std::span<const vrdma_udata_pointer> pointers, uint16_t opcode,
                           std::span<const std::byte> udata, const vrdma_udata_counts& counts,
                           std::span<RequestedRegion> regions) {
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
            region->lasting = true;
        }
    }
    // A region that no pointer asks for, or a second one for the same pointer.
    if (regions.size() != wanted) {
        return fail(EINVAL);
    }
    return {};
}

}  // namespace

Result<std::vector<memory::PinnedRange>> GuestRuns::pin(uint64_t length) const {
    const auto memory = memory_ == nullptr ? nullptr : (*memory_)();
    if (memory == nullptr) {
        return fail(EFAULT);
    }
    std::vector<memory::PinnedRange> pieces;
    pieces.reserve(runs_.size());
    uint64_t sum = 0;
    for (const vrdma_run& run : runs_) {
        if (!vrdma_run_valid(&run)) {
            return fail(EINVAL);
        }
        uint64_t address = le64toh(run.gpa);
        uint64_t left = le64toh(run.length);
        if (left > length - sum) {
            return fail(EINVAL);
        }
        sum += left;
        // A run may span regions of guest memory that adjoin.
        while (left != 0) {
            const uint64_t count = pieces_before_ + pieces.size() + 1;
            if (auto room = mr_runs_->check(count, Errno{ENOMEM}); !room) {
                return fail(room.error());
            }
            auto piece = memory->pin_prefix(memory::GuestPhysicalAddress{address}, left);
            if (!piece) {
                return fail(piece.error());
            }
            address += piece->range.size;
            left -= piece->range.size;
            pieces.push_back(std::move(*piece));
        }
    }
    if (sum != length) {
        return fail(EINVAL);
    }
    return pieces;
}

Result<void> RequestMemoryReader::read_runs(const vhost::DescriptorChain& chain, size_t offset,
                                            uint64_t count, Budget& limit) {
    if (auto room = limit.check(count, Errno{ENOMEM}); !room) {
        return room;
    }
    if (chain.readable_size() - offset != count * sizeof(vrdma_run)) {
        return fail(EINVAL);
    }
    runs_.resize(count);
    return chain.read(offset, std::as_writable_bytes(std::span(runs_)));
}

Result<RequestMemory> RequestMemoryReader::read(const vhost::DescriptorChain& chain, size_t offset,
                                                const Request& request,
                                                std::span<const vrdma_udata_pointer> pointers,
                                                const GuestMemorySource& memory, Budget& mr_runs) {
    const size_t region_count = le16toh(as<vrdma_cmd_hdr>(request.fixed).region_count);
    std::array<vrdma_udata_region, VRDMA_MAX_UDATA_REGIONS> described;
    std::array<RequestedRegion, VRDMA_MAX_UDATA_REGIONS> requested;
    if (region_count > described.size()) {
        return fail(EINVAL);
    }
    const auto list = std::as_writable_bytes(std::span(described).first(region_count));
    if (auto read = chain.read(offset, list); !read) {
        return fail(read.error());
    }
    uint64_t run_count = request.run_count;
    for (size_t i = 0; i < region_count; ++i) {
        run_count += le32toh(described[i].run_count);
    }
    if (auto read = read_runs(chain, offset + list.size(), run_count, mr_runs); !read) {
        return fail(read.error());
    }

    // The runs of each region, and behind them those of the memory region.
    std::span<const vrdma_run> runs = runs_;
    for (size_t i = 0; i < region_count; ++i) {
        const uint32_t count = le32toh(described[i].run_count);
        requested[i] = {.offset = le16toh(described[i].offset),
                        .length = le64toh(described[i].length),
                        .runs = runs.first(count)};
        runs = runs.subspan(count);
    }
    const auto wanted = std::span(requested).first(region_count);
    if (auto checked = check_regions(pointers, request.opcode, request.udata,
                                     udata_counts(request.opcode, request.fixed), wanted);
        !checked) {
        return fail(checked.error());
    }
    RequestMemory result;
    uint64_t piece_count = 0;
    for (const RequestedRegion& region : wanted) {
        auto pieces = GuestRuns(region.runs, memory, mr_runs, piece_count).pin(region.length);
        if (!pieces) {
            return fail(pieces.error());
        }
        piece_count += pieces->size();
        if (region.lasting) {
            result.lasting.bytes += region.length;
            result.lasting.runs += pieces->size();
        }
        result.udata_regions.push_back(
            {.offset = region.offset, .length = region.length, .pieces = std::move(*pieces)});
    }
    result.runs = GuestRuns(runs, memory, mr_runs, piece_count);
    return result;
}

}  // namespace vrdma::device
