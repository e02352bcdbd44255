// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Memory whose pages are of a chosen kind and are all present.
#ifndef VRDMA_BENCH_PAGES_H
#define VRDMA_BENCH_PAGES_H

#include <stddef.h>

enum PageKind {
    kSmallPages,      // the processor's smallest, in the order in which the kernel gives them
    kScatteredPages,  // the smallest, neighbours far apart in physical memory
    kHugePages,       // transparent huge pages
    kHugetlbPages,    // from the huge page pool
};

struct Pages {
    void* address;
    size_t bytes;
    void* mapping;
    size_t mapping_bytes;
};

// Maps and touches memory; the program fails with the reason if there is none of that kind.
struct Pages make_pages(enum PageKind kind, size_t bytes);
void free_pages(struct Pages* pages);

// Returns the number of physically contiguous runs that the memory lies in, as /proc/self/pagemap
// tells, or 0 without the privilege to know.
size_t count_runs(const struct Pages* pages);

#endif
