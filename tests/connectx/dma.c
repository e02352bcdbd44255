// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/dma.h"

#include "connectx/log.h"

enum { kSmallestPage = 12 };  // log2; the low bits of a listed address are no part of it

void buffer_init(Buffer* buffer, const uint8_t* list, size_t bytes, unsigned log_page_size,
                 uint64_t offset) {
    buffer->shift = kSmallestPage + log_page_size;
    buffer->count = bytes / sizeof(uint64_t);
    buffer->offset = offset << (buffer->shift - 6);
    buffer->pages = g_new0(uint64_t, buffer->count + 1);
    for (unsigned i = 0; i < buffer->count; i++) {
        buffer->pages[i] = ldq_be_p(list + sizeof(uint64_t) * i) & ~(uint64_t)(kPageSize - 1);
    }
}

void buffer_free(Buffer* buffer) {
    g_free(buffer->pages);
    buffer->pages = NULL;
    buffer->count = 0;
}

bool buffer_holds(const Buffer* buffer, uint64_t bytes) {
    const uint64_t all = (uint64_t)buffer->count << buffer->shift;

    return buffer->offset <= all && bytes <= all - buffer->offset;
}

bool dma_copy(Connectx* nic, uint64_t address, void* data, size_t size, Direction direction) {
    const MemTxResult result = direction == kWriteMemory
                                   ? pci_dma_write(&nic->parent_obj, address, data, size)
                                   : pci_dma_read(&nic->parent_obj, address, data, size);

    if (result != MEMTX_OK) {
        log_violation(nic, "no memory at %#" PRIx64 " + %zu", address, size);
    }
    return result == MEMTX_OK;
}

bool buffer_copy(Connectx* nic, const Buffer* buffer, uint64_t at, void* data, size_t size,
                 Direction direction) {
    uint8_t* p = data;

    at += buffer->offset;
    while (size > 0) {
        const uint64_t page = at >> buffer->shift;
        const uint64_t in_page = at & ((UINT64_C(1) << buffer->shift) - 1);
        const size_t part = MIN(size, (UINT64_C(1) << buffer->shift) - in_page);

        if (page >= buffer->count) {
            log_violation(nic, "page %" PRIu64 " of a buffer of %u", page, buffer->count);
            return false;
        }
        if (!dma_copy(nic, buffer->pages[page] + in_page, p, part, direction)) {
            return false;
        }
        p += part;
        at += part;
        size -= part;
    }
    return true;
}

uint32_t dma_be32(Connectx* nic, uint64_t address) {
    uint32_t value = 0;

    dma_copy(nic, address, &value, sizeof(value), kReadMemory);
    return be32_to_cpu(value);
}
