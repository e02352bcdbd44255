// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "memory/placed_pages.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include "memory/page_size.h"

namespace vrdma::memory {
namespace {

// Processes have nothing mapped below this address, though one with CAP_SYS_RAWIO could
// (vm.mmap_min_addr).
constexpr uint64_t kLowestAddress = 65536;

uint64_t file_offset(const PinnedRange& piece) {
    return piece.region->backing().offset +
           static_cast<uint64_t>(piece.range.data - piece.region->data());
}

// The end of the pieces when they can lie side by side from `address`.
Result<uint64_t> check(uint64_t address, std::span<const PinnedRange> pieces, std::string& reason) {
    uint64_t position = address;
    for (const PinnedRange& piece : pieces) {
        if (!piece.region->backing().file ||
            piece.region->backing().page_size != system_page_size()) {
            reason =
                "guest RAM is in no file, or in one of huge pages, and cannot be mapped by "
                "single pages";
            return fail(EOPNOTSUPP);
        }
        const bool meets = position == address || position % system_page_size() == 0;
        if (piece.range.size == 0 || !meets ||
            position % system_page_size() != file_offset(piece) % system_page_size() ||
            __builtin_add_overflow(position, piece.range.size, &position)) {
            reason = "its pieces do not meet at page boundaries";
            return fail(EINVAL);
        }
    }
    if (pieces.empty() || address < kLowestAddress || position > INT64_MAX) {
        reason = fmt::format("{:#x} is no address of a user's memory", address);
        return fail(EINVAL);
    }
    return position;
}

}  // namespace

// Maps one page.  The kernel joins mappings of neighbours that follow each other in the file.
Result<void> PlacedPages::add(uint64_t address, const Page& wanted, std::string& reason) {
    if (const auto known = pages_.find(address); known != pages_.end()) {
        if (known->second.file != wanted.file || known->second.offset != wanted.offset) {
            reason = fmt::format("the process has registered other memory at {:#x}", address);
            return fail(EADDRINUSE);
        }
        ++known->second.users;
        return {};
    }
    void* const place = reinterpret_cast<void*>(address);
    void* const mapped = ::mmap(place, system_page_size(), PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_NORESERVE, wanted.file,
                                static_cast<off_t>(wanted.offset));
    if (mapped != MAP_FAILED) {
        pages_[address] = {.file = wanted.file, .offset = wanted.offset, .users = 1};
        return {};
    }
    const int error = errno == EEXIST ? EADDRINUSE : errno;
    reason = fmt::format(
        "its page at {:#x} cannot be mapped there: {}{}", address, to_string(Errno{error}),
        error == EADDRINUSE ? " (by the daemon itself or by another guest's process; with "
                              "address space randomization that is rare)"
                            : "");
    return fail(error);
}

Result<PlacedPages::Lease> PlacedPages::place(uint64_t address, std::span<const PinnedRange> pieces,
                                              MappingBudget& budget, std::string& reason) {
    const auto end = check(address, pieces, reason);
    if (!end) {
        return fail(end.error());
    }
    auto share = budget.take(pieces.size() + 1, reason);
    if (!share) {
        return fail(share.error());
    }
    const uint64_t mask = system_page_size() - 1;
    Lease lease;
    lease.pages_ = this;
    lease.begin_ = lease.end_ = address & ~mask;
    lease.share_ = std::move(*share);
    uint64_t position = address;
    for (const PinnedRange& piece : pieces) {
        const uint64_t piece_end = position + piece.range.size;
        const uint64_t offset = file_offset(piece) - (position & mask);
        for (uint64_t page = position & ~mask; page < piece_end; page += system_page_size()) {
            auto added = add(page,
                             {.file = piece.region->backing().file.get(),
                              .offset = offset + (page - (position & ~mask)),
                              .users = 0},
                             reason);
            // On failure the lease's destructor unmaps the pages that it has.
            if (!added) {
                return fail(added.error());
            }
            lease.end_ = page + system_page_size();
        }
        position = piece_end;
    }
    if (const auto& region = *pieces.front().region; region.faults() != nullptr) {
        // What is placed may come from several files: the label is the first one's.
        lease.watched_ =
            WatchedRange({.begin = reinterpret_cast<std::byte*>(lease.begin_),
                          .size = lease.end_ - lease.begin_,
                          .page_size = system_page_size(),
                          .file_offset = 0},
                         WatchedRange::Accesses::kKernels, region.backing().label, region.faults());
    }
    return lease;
}

void PlacedPages::release(uint64_t begin, uint64_t end) {
    uint64_t unused = begin;  // start of the pages that are to be unmapped
    const auto unmap_until = [&](uint64_t address) {
        if (address > unused) {
            ::munmap(reinterpret_cast<void*>(unused), address - unused);
        }
    };
    for (uint64_t address = begin; address < end; address += system_page_size()) {
        const auto page = pages_.find(address);
        if (--page->second.users == 0) {
            pages_.erase(page);
        } else {
            unmap_until(address);
            unused = address + system_page_size();
        }
    }
    unmap_until(end);
}

PlacedPages::Lease& PlacedPages::Lease::operator=(Lease&& other) noexcept {
    std::swap(pages_, other.pages_);
    std::swap(begin_, other.begin_);
    std::swap(end_, other.end_);
    std::swap(watched_, other.watched_);
    std::swap(share_, other.share_);
    return *this;
}

PlacedPages::Lease::~Lease() {
    if (pages_ != nullptr) {
        watched_ = WatchedRange();  // before another thread maps something there
        pages_->release(begin_, end_);
    }
}

}  // namespace vrdma::memory
