// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// Memory that a queue pair lets its peer reach.
#include "connectx/objects/mkey.h"
#include "connectx/objects/window.h"
#include "connectx/transport/callbacks.h"

bool remote_check(void* device, void* owner, uint32_t rkey, uint64_t address, uint32_t length,
                  int access) {
    const Qp* qp = owner;

    return window_serves(device, qp, rkey) &&
           mkey_allows(device, qp->pd, rkey, address, length,
                       access & IBV_ACCESS_REMOTE_WRITE ? kWriteMemory : kReadMemory, kByRemote);
}

bool remote_write(void* device, void* owner, uint32_t rkey, uint64_t address, const uint8_t* data,
                  size_t size) {
    const Qp* qp = owner;

    return mkey_copy(device, qp->pd, rkey, address, (void*)data, size, kWriteMemory, kByRemote);
}

bool remote_read(void* device, void* owner, uint32_t rkey, uint64_t address, uint8_t* data,
                 size_t size) {
    const Qp* qp = owner;

    return mkey_copy(device, qp->pd, rkey, address, data, size, kReadMemory, kByRemote);
}

bool remote_atomic(void* device, void* owner, uint32_t rkey, uint64_t address,
                   enum ibv_wr_opcode opcode, uint64_t compare_add, uint64_t swap,
                   uint64_t* original) {
    const Qp* qp = owner;
    uint64_t old, now;

    // The operands are numbers of the host, which is little-endian; the memory has one as well.
    if (!window_serves(device, qp, rkey) ||
        !mkey_copy(device, qp->pd, rkey, address, &old, sizeof(old), kReadMemory, kByAtomic)) {
        return false;
    }
    *original = le64_to_cpu(old);
    if (opcode == IBV_WR_ATOMIC_FETCH_AND_ADD) {
        now = cpu_to_le64(*original + compare_add);
    } else {
        now = *original == compare_add ? cpu_to_le64(swap) : old;
    }
    return mkey_copy(device, qp->pd, rkey, address, &now, sizeof(now), kWriteMemory, kByAtomic);
}

bool remote_invalidate(void* device, void* owner, uint32_t rkey) {
    const Qp* qp = owner;

    return window_serves(device, qp, rkey) && mkey_invalidate(device, qp->pd, rkey);
}
