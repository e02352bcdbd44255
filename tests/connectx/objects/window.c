// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/objects/window.h"

#include "connectx/log.h"
#include "connectx/objects/mkey.h"

// struct mlx5_wqe_umr_ctrl_seg, then struct mlx5_wqe_mkey_context_seg, which is the beginning of
// mkc, and for a window with memory one struct mlx5_wqe_umr_klm_seg in the room of four.
enum {
    kFlags = 0,
    kTranslations = 4,  // in entries of struct mlx5_wqe_umr_klm_seg
    kTranslationsAt = 6,
    kMask = 8,
    kContext = 48,
    kMemory = kContext + 64,
    kMemoryKey = kMemory + 4,
    kMemoryAddress = kMemory + 8,
    kEnd = kMemory + 64,
    kRoomOfFour = 4,
};

// MLX5_WQE_UMR_CTRL_FLAG_*.
enum { kOfQp = 1 << 3, kMovesTranslations = 1 << 4, kIsFree = 1 << 5, kInline = 1 << 7 };

// What a request of a program changes (MLX5_WQE_UMR_CTRL_MKEY_MASK_*).
enum {
    kRights = kMaskLocalWrite | kMaskRemoteRead | kMaskRemoteWrite | kMaskAtomic,
    kBinds = kMaskFree | kMaskVariant | kMaskLength | kMaskStart | kRights,
    kUnbinds = kMaskFree | kMaskVariant,
};

static bool refuse(Connectx* nic, const Qp* qp, uint32_t key, const char* why) {
    log_say(nic, "QP %#x: window %#x: %s", qp->number, key, why);
    return false;
}

static bool malformed(Connectx* nic, const Qp* qp, const char* what, uint64_t value) {
    log_violation(nic, "QP %#x: change of a window: %s (%#" PRIx64 ")", qp->number, what, value);
    return false;
}

// Whether a request is one that a library writes.
static bool is_change(Connectx* nic, const Qp* qp, const uint8_t* segments, size_t size) {
    const unsigned flags = segments[kFlags];
    const unsigned translations = lduw_be_p(segments + kTranslations);
    const uint64_t mask = ldq_be_p(segments + kMask);
    const bool binds = translations > 0;

    if (flags & ~(kOfQp | kMovesTranslations | kIsFree | kInline) || !(flags & kInline)) {
        return malformed(nic, qp, "flags", flags);
    }
    if ((binds && translations != kRoomOfFour) || lduw_be_p(segments + kTranslationsAt)) {
        return malformed(nic, qp, "translations", ldl_be_p(segments + kTranslations));
    }
    if ((mask & ~(uint64_t)kMaskQp) != (binds ? kBinds : kUnbinds)) {
        return malformed(nic, qp, "mask", mask);
    }
    return size >= (binds ? kEnd : kMemory) || malformed(nic, qp, "size", size);
}

static Mkey* find_window(Connectx* nic, const Qp* qp, uint32_t key) {
    Mkey* window = find_object(nic->objects.mkeys, key >> 8);

    if (!window || window->key != key || window->mode != kOneRange) {
        refuse(nic, qp, key, "it is not there");
        return NULL;
    }
    if (window->pd != qp->pd) {
        refuse(nic, qp, key, "it is of another protection domain");
        return NULL;
    }
    return window;
}

// Whether a region has the memory, and the rights that the window shall give.
static bool is_in_region(Connectx* nic, const Qp* qp, const uint8_t* segments) {
    const uint8_t* context = segments + kContext;
    const bool writes = IFC_GET(mkc, context, rw) || IFC_GET(mkc, context, a);

    return mkey_allows(nic, qp->pd, ldl_be_p(segments + kMemoryKey),
                       ldq_be_p(segments + kMemoryAddress), ldl_be_p(segments + kMemory),
                       writes ? kWriteMemory : kReadMemory, kByLocal);
}

static bool bind_window(Connectx* nic, const Qp* qp, Mkey* window, const uint8_t* segments) {
    const uint8_t* context = segments + kContext;
    const Mkey* region =
        find_object(nic->objects.mkeys, (uint32_t)ldl_be_p(segments + kMemoryKey) >> 8);
    const uint64_t length = (uint32_t)ldl_be_p(segments + kMemory);

    if (segments[kFlags] & kIsFree && !window->free) {
        return refuse(nic, qp, window->key, "it is bound already");
    }
    if (!region || region->mode == kOneRange || !is_in_region(nic, qp, segments)) {
        return refuse(nic, qp, window->key, "no region has that memory and those rights");
    }
    if (IFC_GET(mkc, context, len) != length) {
        return malformed(nic, qp, "another length than that of its memory",
                         IFC_GET(mkc, context, len));
    }
    window->range_key = ldl_be_p(segments + kMemoryKey);
    window->range_address = ldq_be_p(segments + kMemoryAddress);
    window->start = IFC_GET(mkc, context, start_addr);
    window->length = length;
    window->local_write = IFC_GET(mkc, context, lw);
    window->remote_read = IFC_GET(mkc, context, rr);
    window->remote_write = IFC_GET(mkc, context, rw);
    window->atomic = IFC_GET(mkc, context, a);
    return true;
}

bool window_change(Connectx* nic, const Qp* qp, uint32_t key, const uint8_t* segments,
                   size_t size) {
    const uint8_t* context = segments + kContext;
    Mkey* window;

    if (size < kMemory) {
        return malformed(nic, qp, "size", size);
    }
    if (!is_change(nic, qp, segments, size)) {
        return false;
    }
    window = find_window(nic, qp, key);
    if (!window) {
        return false;
    }
    if (segments[kFlags] & kOfQp && window->qp != qp->number) {
        return refuse(nic, qp, key, "another queue pair has bound it");
    }
    if (lduw_be_p(segments + kTranslations) > 0 && !bind_window(nic, qp, window, segments)) {
        return false;
    }
    window->free = IFC_GET(mkc, context, free);
    if (ldq_be_p(segments + kMask) & kMaskQp) {
        window->qp = IFC_GET(mkc, context, qpn);
    }
    window->key = window->key >> 8 << 8 | IFC_GET(mkc, context, mkey_7_0);
    log_say(nic, "      window %#x: %s, %#" PRIx64 " + %#" PRIx64 " of key %#x, for QP %#x",
            window->key, window->free ? "free" : "bound", window->start, window->length,
            window->range_key, window->qp);
    return true;
}

bool window_serves(Connectx* nic, const Qp* qp, uint32_t key) {
    const Mkey* mkey = find_object(nic->objects.mkeys, key >> 8);

    return !mkey || mkey->qp == kEveryQp || mkey->qp == qp->number ||
           refuse(nic, qp, key, "another queue pair has bound it");
}
