// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tool.h"

enum { kHugePageSize = 2 << 20 };

static size_t page_size(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t round_up(size_t bytes, size_t unit) {
    return (bytes + unit - 1) / unit * unit;
}

static void touch(const struct Pages* pages, size_t page) {
    volatile unsigned char* byte = (unsigned char*)pages->address + page * page_size();
    *byte = 1;
}

static void touch_in_order(const struct Pages* pages) {
    const size_t count = round_up(pages->bytes, page_size()) / page_size();
    for (size_t page = 0; page < count; ++page) touch(pages, page);
}

// The kernel gives pages that adjoin to faults that follow each other: faults in random
// order make virtual neighbours strangers in physical memory.
static void touch_in_random_order(const struct Pages* pages) {
    const size_t count = round_up(pages->bytes, page_size()) / page_size();
    uint32_t* order = calloc(count, sizeof *order);
    if (order == NULL) fail_errno("no memory for the order of %zu pages", count);
    srandom(1);
    for (size_t i = 0; i < count; ++i) {
        const size_t other = (size_t)random() % (i + 1);
        order[i] = order[other];
        order[other] = (uint32_t)i;
    }
    for (size_t i = 0; i < count; ++i) touch(pages, order[i]);
    free(order);
}

static void check_huge(const struct Pages* pages) {
    const size_t runs = count_runs(pages);
    if (runs > pages->bytes / kHugePageSize) {
        fail(
            "%zu bytes of transparent huge pages lie in %zu runs: the kernel gave smaller pages; "
            "free memory, compact it (/proc/sys/vm/compact_memory), or use the huge page pool",
            pages->bytes, runs);
    }
}

struct Pages make_pages(enum PageKind kind, size_t bytes) {
    const bool huge = kind == kHugePages || kind == kHugetlbPages;
    struct Pages pages = {.bytes = huge ? round_up(bytes, kHugePageSize) : bytes};
    pages.mapping_bytes = round_up(pages.bytes, page_size());
    // A mapping begins at any page, so it needs room for an address that begins a huge page.
    if (kind == kHugePages) pages.mapping_bytes += kHugePageSize;
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | (kind == kHugetlbPages ? MAP_HUGETLB : 0);
    pages.mapping = mmap(NULL, pages.mapping_bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (pages.mapping == MAP_FAILED) {
        fail_errno(kind == kHugetlbPages ? "cannot map %zu bytes of the huge page pool "
                                           "(/proc/sys/vm/nr_hugepages says how large it is)"
                                         : "cannot map %zu bytes",
                   pages.mapping_bytes);
    }
    pages.address = pages.mapping;
    if (kind == kHugePages) {
        pages.address = (void*)round_up((uintptr_t)pages.mapping, kHugePageSize);
    }
    // Without transparent huge pages in the kernel there is nothing to refuse (EINVAL).
    const int advice = kind == kHugePages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE;
    if (kind != kHugetlbPages && madvise(pages.address, pages.bytes, advice) != 0 &&
        (advice == MADV_HUGEPAGE || errno != EINVAL)) {
        fail_errno("the kernel takes no advice about huge pages");
    }
    if (kind == kScatteredPages) {
        touch_in_random_order(&pages);
    } else {
        touch_in_order(&pages);
    }
    if (kind == kHugePages) check_huge(&pages);
    return pages;
}

void free_pages(struct Pages* pages) {
    if (munmap(pages->mapping, pages->mapping_bytes) != 0) fail_errno("cannot unmap memory");
    *pages = (struct Pages){0};
}

size_t count_runs(const struct Pages* pages) {
    // Documentation/admin-guide/mm/pagemap.rst: each page has 64 bits, and the low 55 are the
    // frame's number, which reads as 0 without CAP_SYS_ADMIN.
    const uint64_t frame_mask = (UINT64_C(1) << 55) - 1;
    enum { kBatch = 512 };
    uint64_t entries[kBatch];
    const int file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    const size_t count = round_up(pages->bytes, page_size()) / page_size();
    const size_t first = (uintptr_t)pages->address / page_size();
    uint64_t previous = 0;
    size_t runs = 0;
    for (size_t page = 0; page < count;) {
        const size_t wanted = count - page < kBatch ? count - page : kBatch;
        const ssize_t got = pread(file, entries, wanted * sizeof *entries,
                                  (off_t)((first + page) * sizeof *entries));
        if (got < (ssize_t)sizeof *entries) break;
        for (size_t i = 0; i < (size_t)got / sizeof *entries; ++i, ++page) {
            const uint64_t frame = entries[i] & frame_mask;
            if (frame == 0) {
                close(file);
                return 0;
            }
            runs += page == 0 || frame != previous + 1;
            previous = frame;
        }
    }
    close(file);
    return runs;
}
