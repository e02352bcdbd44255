// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// Memory keys, and the memory behind them.
#ifndef VRDMA_CONNECTX_OBJECTS_MKEY_H
#define VRDMA_CONNECTX_OBJECTS_MKEY_H

#include "connectx/command.h"
#include "connectx/dma.h"

// access_mode of mkc: physical addresses, a list of pages, or ranges of the memory of other keys,
// of which a memory window has one (KLMs).
enum { kPhysical = 0, kPageList = 1, kOneRange = 2 };

// What a change may be of (MLX5_MKEY_MASK_* of <linux/mlx5/device.h>).
enum {
    kMaskLength = 1 << 0,
    kMaskStart = 1 << 6,
    kMaskPd = 1 << 7,
    kMaskInvalidation = 1 << 8,
    kMaskVariant = 1 << 13,
    kMaskQp = 1 << 14,
    kMaskLocalRead = 1 << 17,
    kMaskLocalWrite = 1 << 18,
    kMaskRemoteRead = 1 << 19,
    kMaskRemoteWrite = 1 << 20,
    kMaskAtomic = 1 << 21,
    kMaskOrderWrites = 1 << 25,
    kMaskFree = 1 << 29,
};

enum { kEveryQp = 0xffffff };  // qpn of mkc, of a key that is not for one queue pair alone

typedef struct {
    uint32_t key;  // with the variant in its low byte
    uint32_t pd;
    unsigned mode;
    bool free;  // nobody may use it
    bool all;   // every address, without a list of pages
    bool local_write, remote_read, remote_write, atomic;
    uint64_t start, length;
    Buffer buffer;
    uint32_t qp;             // the queue pair that the key is for, or kEveryQp
    bool remote_invalidate;  // whether a peer may make it free
    // The key and the address there that `start` of kOneRange stands for.
    uint32_t range_key;
    uint64_t range_address;
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

// Changes of a key what `mask` says (bits from kMaskLength to kMaskFree) to what it is in
// `context`, the first 64 bytes of mkc.  False, with a violation in the log, if the key is not
// there, or cannot change so.
bool mkey_change(Connectx* nic, uint32_t key, uint64_t mask, const uint8_t* context);

Handler mkey_create, mkey_destroy;

#endif
