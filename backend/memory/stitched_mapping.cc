// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "memory/stitched_mapping.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <utility>

#include "memory/page_size.h"

namespace vrdma::memory {

// The pieces that one mmap() maps: they follow each other in one file.
struct FileRun {
    const GuestRegion* region = nullptr;
    uint64_t file_offset = 0;
    uint64_t length = 0;
};

namespace {

uint64_t round_down(uint64_t value, uint64_t granule) {
    return value - value % granule;
}

// `value` is far from the end of the address space: it is an offset in guest RAM.
uint64_t round_up(uint64_t value, uint64_t granule) {
    return round_down(value + (granule - 1), granule);
}

bool contiguous(std::span<const PinnedRange> pieces) {
    for (size_t i = 1; i < pieces.size(); ++i) {
        if (pieces[i - 1].range.data + pieces[i - 1].range.size != pieces[i].range.data) {
            return false;
        }
    }
    return true;
}

// The sum of the sizes; 0 when there are no pieces, or when memory cannot have that size.
uint64_t total_size(std::span<const PinnedRange> pieces) {
    uint64_t sum = 0;
    for (const PinnedRange& piece : pieces) {
        if (piece.range.size == 0 || __builtin_add_overflow(sum, piece.range.size, &sum)) {
            return 0;
        }
    }
    return sum > static_cast<uint64_t>(PTRDIFF_MAX) ? 0 : sum;
}

std::vector<std::shared_ptr<const GuestRegion>> regions_of(std::span<const PinnedRange> pieces) {
    std::vector<std::shared_ptr<const GuestRegion>> regions;
    for (const PinnedRange& piece : pieces) {
        // There are few regions, and neighbours are mostly in the same one.
        if (regions.empty() || std::ranges::find(regions, piece.region) == regions.end()) {
            regions.push_back(piece.region);
        }
    }
    return regions;
}

std::vector<FileRun> runs_of(std::span<const PinnedRange> pieces) {
    std::vector<FileRun> runs;
    for (const PinnedRange& piece : pieces) {
        const auto offset = piece.region->backing().offset +
                            static_cast<uint64_t>(piece.range.data - piece.region->data());
        if (!runs.empty() && runs.back().region == piece.region.get() &&
            runs.back().file_offset + runs.back().length == offset) {
            runs.back().length += piece.range.size;
        } else {
            runs.push_back({piece.region.get(), offset, piece.range.size});
        }
    }
    return runs;
}

// Whether the runs can lie side by side when the first begins `start` bytes behind a boundary of
// all page sizes.
Result<void> check_boundaries(std::span<const FileRun> runs, uint64_t start, std::string& reason) {
    uint64_t position = start;
    for (size_t i = 0; i < runs.size(); ++i) {
        const FileRun& run = runs[i];
        const uint64_t page = run.region->backing().page_size;
        const bool begins_inside = i != 0 && run.file_offset % page != 0;
        const bool ends_inside = i + 1 != runs.size() && (run.file_offset + run.length) % page != 0;
        if (begins_inside || ends_inside || position % page != run.file_offset % page) {
            const bool huge = page != system_page_size();
            reason = fmt::format(
                "piece {} of {} ({} bytes from {:#x} of guest RAM's file) does not lie on "
                "boundaries of that file's pages, which have {} bytes{}",
                i + 1, runs.size(), run.length, run.file_offset, page,
                huge ? "; back the guest's RAM with ordinary pages, or let the guest's "
                       "application register huge pages"
                     : "");
            return fail(huge ? EOPNOTSUPP : EINVAL);
        }
        position += run.length;
    }
    return {};
}

}  // namespace

Result<StitchedMapping> StitchedMapping::make(std::span<const PinnedRange> pieces,
                                              uint64_t offset_in_page, MappingBudget& budget,
                                              std::string& reason) {
    const uint64_t size = total_size(pieces);
    if (size == 0) {
        reason = "it is empty, or its size is that of no memory";
        return fail(EINVAL);
    }
    const auto first = reinterpret_cast<uintptr_t>(pieces.front().range.data);
    if (first % system_page_size() != offset_in_page) {
        reason = fmt::format("it begins at byte {} of a page, and is to begin at byte {}",
                             first % system_page_size(), offset_in_page);
        return fail(EINVAL);
    }
    StitchedMapping result;
    result.size_ = size;
    result.regions_ = regions_of(pieces);
    if (contiguous(pieces)) {
        result.data_ = pieces.front().range.data;
        return result;
    }

    uint64_t granule = system_page_size();  // a multiple of every page size concerned
    for (const auto& region : result.regions_) {
        if (!region->backing().file) {
            reason = "guest RAM is in no file that could be mapped again";
            return fail(EOPNOTSUPP);
        }
        granule = std::max(granule, region->backing().page_size);
    }
    const std::vector<FileRun> runs = runs_of(pieces);
    const uint64_t start = runs.front().file_offset % runs.front().region->backing().page_size;
    if (auto checked = check_boundaries(runs, start, reason); !checked) {
        return fail(checked.error());
    }
    // One for each run, and one for what is left of the reservation before and after each.
    auto share = budget.take(runs.size() + 2, reason);
    if (!share) {
        return fail(share.error());
    }
    result.share_ = std::move(*share);

    auto mapped = result.map_into_hole(runs, start, granule, reason);
    if (!mapped && mapped.error() == Errno{EEXIST}) {
        result.unmap();
        mapped = result.map_over_reservation(runs, start, granule, reason);
    }
    if (!mapped) {
        return fail(mapped.error());
    }
    result.watch(start, granule);
    result.populate();
    return result;
}

// Maps into address space that was free a moment ago.  This is half the work for the kernel,
// which has no mapping to remove.  EEXIST when another thread has mapped something there
// meanwhile.
Result<void> StitchedMapping::map_into_hole(std::span<const FileRun> runs, uint64_t start,
                                            uint64_t granule, std::string& reason) {
    auto base = reserve(start, granule, reason);
    if (!base) {
        return fail(base.error());
    }
    unmap();
    own_ = *base;
    return map_runs(runs, *base + start, MAP_FIXED_NOREPLACE, reason);
}

// Maps over address space that stays reserved all the time, so that no other thread can map
// something there in between.
Result<void> StitchedMapping::map_over_reservation(std::span<const FileRun> runs, uint64_t start,
                                                   uint64_t granule, std::string& reason) {
    auto base = reserve(start, granule, reason);
    if (!base) {
        return fail(base.error());
    }
    return map_runs(runs, *base + start, MAP_FIXED, reason);
}

// Reserves address space, and returns an address in it that lies `start` bytes behind a multiple
// of `granule`.
Result<std::byte*> StitchedMapping::reserve(uint64_t start, uint64_t granule, std::string& reason) {
    // mmap() aligns to small pages only, so the address is aligned by hand.
    const uint64_t size = round_up(start + size_, granule) + granule;
    void* const reserved =
        ::mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reserved == MAP_FAILED) {
        const int error = errno;
        reason = fmt::format("no {} bytes of address space: {}", size, to_string(Errno{error}));
        return fail(error);
    }
    own_ = static_cast<std::byte*>(reserved);
    own_size_ = size;
    const auto address = reinterpret_cast<uintptr_t>(reserved);
    return own_ + (round_up(address, granule) - address);
}

// Maps the runs side by side from `data` on.  The mappings belong to this object also on failure.
Result<void> StitchedMapping::map_runs(std::span<const FileRun> runs, std::byte* data, int placing,
                                       std::string& reason) {
    data_ = data;
    std::byte* position = data;
    for (const FileRun& run : runs) {
        const uint64_t page = run.region->backing().page_size;
        const uint64_t before = run.file_offset % page;
        std::byte* const begin = position - before;
        const uint64_t length = round_up(before + run.length, page);
        // Boundaries were checked, so that no run reaches into another one's pages.
        void* const mapped =
            ::mmap(begin, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | placing,
                   run.region->backing().file.get(), static_cast<off_t>(run.file_offset - before));
        if (mapped == MAP_FAILED) {
            const int error = errno;
            reason = fmt::format("mapping piece {} of {} failed: {}{}", mappings_ + 1, runs.size(),
                                 to_string(Errno{error}),
                                 error == ENOMEM ? "; is vm.max_map_count reached?" : "");
            return fail(error);
        }
        own_size_ = std::max(own_size_, static_cast<uint64_t>(begin + length - own_));
        ++mappings_;
        position += run.length;
    }
    return {};
}

// Watches what was mapped, which begins `start` bytes before the data.  The runs may come from
// several files: the label is the first one's.
void StitchedMapping::watch(uint64_t start, uint64_t granule) {
    const GuestRegion& region = *regions_.front();
    if (region.faults() != nullptr) {
        watched_ =
            WatchedRange({.begin = data_ - start,
                          .size = round_up(start + size_, granule),
                          .page_size = granule,
                          .file_offset = 0},
                         WatchedRange::Accesses::kKernels, region.backing().label, region.faults());
    }
}

// Whoever pins the memory takes a page fault for each page, since the memory is to be written.
// A fault for reading maps the pages around it as well, and maps them writable in a shared
// mapping of memory that needs no tracking of writes: a third of the work where runs are long.
// Failures here (Linux before 5.14; memory that is broken) are left for the one who pins to
// report.
void StitchedMapping::populate() {
    constexpr uint64_t kLongRun = 4;  // pages
    const uint64_t page = system_page_size();
    if (size_ / page < kLongRun * mappings_) {
        return;
    }
    const uint64_t before = reinterpret_cast<uintptr_t>(data_) % page;
    ::madvise(data_ - before, round_up(before + size_, page), MADV_POPULATE_READ);
}

void StitchedMapping::unmap() {
    watched_ = WatchedRange();  // before another thread maps something there
    if (own_size_ != 0) {
        ::munmap(own_, own_size_);
    }
    own_ = nullptr;
    own_size_ = 0;
    mappings_ = 0;
}

StitchedMapping& StitchedMapping::operator=(StitchedMapping&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(mappings_, other.mappings_);
    std::swap(own_, other.own_);
    std::swap(own_size_, other.own_size_);
    std::swap(regions_, other.regions_);
    std::swap(watched_, other.watched_);
    std::swap(share_, other.share_);
    return *this;
}

StitchedMapping::~StitchedMapping() {
    unmap();
}

}  // namespace vrdma::memory
