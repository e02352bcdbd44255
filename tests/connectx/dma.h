// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// Memory of the host that the adapter reads and writes.
#ifndef VRDMA_CONNECTX_DMA_H
#define VRDMA_CONNECTX_DMA_H

#include "connectx/connectx.h"

// Which way bytes go.
typedef enum { kReadMemory, kWriteMemory } Direction;

// Pages that a command listed, and the place of a queue in them.
typedef struct {
    uint64_t* pages;
    unsigned shift;  // a page has 2^shift bytes
    unsigned count;
    uint64_t offset;  // of the first byte in the first page
} Buffer;

// `list` has `bytes` bytes of page addresses.  `offset` counts in 64ths of a page, however large
// the page is (page_offset of the contexts).
void buffer_init(Buffer* buffer, const uint8_t* list, size_t bytes, unsigned log_page_size,
                 uint64_t offset);
void buffer_free(Buffer* buffer);

// Whether the pages have room for so many bytes.
bool buffer_holds(const Buffer* buffer, uint64_t bytes);

// Copies between `data` and the place `at` of the buffer; false outside of its pages, or where the
// bus has no memory.
bool buffer_copy(Connectx* nic, const Buffer* buffer, uint64_t at, void* data, size_t size,
                 Direction direction);

bool dma_copy(Connectx* nic, uint64_t address, void* data, size_t size, Direction direction);

// A 32-bit number of the host's memory; 0 where there is none.
uint32_t dma_be32(Connectx* nic, uint64_t address);

#endif
