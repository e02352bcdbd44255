// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// Memory keys, and the memory behind them.
#ifndef VRDMA_CONNECTX_OBJECTS_MKEY_H
#define VRDMA_CONNECTX_OBJECTS_MKEY_H

#include "connectx/command.h"
#include "connectx/dma.h"

typedef struct {
    uint32_t key;  // with the variant in its low byte
    uint32_t pd;
    unsigned mode;
    bool free;  // nobody may use it
    bool all;   // every address, without a list of pages
    bool local_write, remote_read, remote_write, atomic;
    bool may_be_invalidated;  // by a message of a peer
    uint64_t start, length;
    Buffer buffer;
} Mkey;

// By which right memory is reached.
typedef enum { kByLocal, kByRemote, kByAtomic } Access;

void mkey_free(void* mkey);

// Copies between `data` and the memory of a key, whose protection domain must be `pd`.  False, with
// a line in the log, if the key is not there, or does not allow it: a program can cause that.
bool mkey_copy(Connectx* nic, uint32_t pd, uint32_t key, uint64_t address, void* data, size_t size,
               Direction direction, Access access);

// Whether mkey_copy() would do it.
bool mkey_allows(Connectx* nic, uint32_t pd, uint32_t key, uint64_t address, uint64_t size,
                 Direction direction, Access access);

// Frees a key of a protection domain, as a message asks for.  False if that is not allowed.
bool mkey_invalidate(Connectx* nic, uint32_t pd, uint32_t key);

// Changes of a key what `mask` says (MLX5_MKEY_MASK_* of <linux/mlx5/device.h>) to what it is in
// `context`, the first 64 bytes of mkc.  False, with a violation in the log, if the key is not
// there, or cannot change so.
bool mkey_change(Connectx* nic, uint32_t key, uint64_t mask, const uint8_t* context);

Handler mkey_create, mkey_destroy;

#endif
