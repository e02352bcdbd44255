// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// Memory that a queue pair lets its peer reach.
#include "connectx/objects/mkey.h"
#include "connectx/objects/window.h"
#include "connectx/transport/callbacks.h"
#include "connectx/transport/responder.h"

// The protection domain in which a key has to be.  False, if the shared queue that has it is not
// there.
static bool domain_of(Connectx* nic, const Qp* qp, const RoceTarget* target, uint32_t* pd) {
    const Srq* srq;

    *pd = qp->pd;
    if (qp->type == kXrc) {
        srq = responder_srq(nic, qp, target->srq_number);
        if (!srq) {
            return false;
        }
        *pd = srq->pd;
    }
    return window_serves(nic, qp, target->rkey);
}

bool remote_check(void* device, void* owner, const RoceTarget* target, uint32_t length,
                  int access) {
    uint32_t pd;

    return domain_of(device, owner, target, &pd) &&
           mkey_allows(device, pd, target->rkey, target->address, length,
                       access & IBV_ACCESS_REMOTE_WRITE ? kWriteMemory : kReadMemory, kByRemote);
}

bool remote_write(void* device, void* owner, const RoceTarget* target, const uint8_t* data,
                  size_t size) {
    uint32_t pd;

    return domain_of(device, owner, target, &pd) &&
           mkey_copy(device, pd, target->rkey, target->address, (void*)data, size, kWriteMemory,
                     kByRemote);
}

bool remote_read(void* device, void* owner, const RoceTarget* target, uint8_t* data, size_t size) {
    uint32_t pd;

    return domain_of(device, owner, target, &pd) &&
           mkey_copy(device, pd, target->rkey, target->address, data, size, kReadMemory, kByRemote);
}

bool remote_atomic(void* device, void* owner, const RoceTarget* target, enum ibv_wr_opcode opcode,
                   uint64_t compare_add, uint64_t swap, uint64_t* original) {
    uint64_t old, now;
    uint32_t pd;

    // The operands are numbers of the host, which is little-endian; the memory has one as well.
    if (!domain_of(device, owner, target, &pd) ||
        !mkey_copy(device, pd, target->rkey, target->address, &old, sizeof(old), kReadMemory,
                   kByAtomic)) {
        return false;
    }
    *original = le64_to_cpu(old);
    if (opcode == IBV_WR_ATOMIC_FETCH_AND_ADD) {
        now = cpu_to_le64(*original + compare_add);
    } else {
        now = *original == compare_add ? cpu_to_le64(swap) : old;
    }
    return mkey_copy(device, pd, target->rkey, target->address, &now, sizeof(now), kWriteMemory,
                     kByAtomic);
}

bool remote_invalidate(void* device, void* owner, uint32_t rkey) {
    const Qp* qp = owner;

    return window_serves(device, qp, rkey) && mkey_invalidate(device, qp->pd, rkey);
}
