// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/objects/mkey.h"

#include "connectx/fields.h"
#include "connectx/log.h"
#include "connectx/objects/pd.h"

enum { kAddressFlags = 7 };  // low bits of a listed address that are no part of it

static const uint64_t kMaskOrderReads = UINT64_C(1) << 47;
// These change nothing here: local reading is always allowed, and nothing is reordered.
static const uint64_t kMaskIgnored =
    kMaskInvalidation | kMaskQp | kMaskLocalRead | kMaskOrderWrites | kMaskOrderReads;

static const Field kFields[] = {
    KNOWN(mkc, free),
    KNOWN(mkc, access_mode_4_2),
    KNOWN(mkc, umr_en),
    KNOWN(mkc, a),
    KNOWN(mkc, rw),
    KNOWN(mkc, rr),
    KNOWN(mkc, lw),
    KNOWN(mkc, lr),
    KNOWN(mkc, access_mode_1_0),
    KNOWN(mkc, qpn),
    KNOWN(mkc, en_rinval),
    KNOWN(mkc, mkey_7_0),
    KNOWN(mkc, length64),
    KNOWN(mkc, pd),
    KNOWN(mkc, start_addr),
    KNOWN(mkc, len),
    KNOWN(mkc, translations_octword_size),
    KNOWN(mkc, log_page_size),
};

void mkey_free(void* mkey) {
    buffer_free(&((Mkey*)mkey)->buffer);
    g_free(mkey);
}

static bool has_right(const Mkey* mkey, Direction direction, Access access) {
    switch (access) {
        case kByAtomic:
            return mkey->atomic;
        case kByRemote:
            return direction == kWriteMemory ? mkey->remote_write : mkey->remote_read;
        default:
            return direction == kReadMemory || mkey->local_write;
    }
}

static const Mkey* find(Connectx* nic, uint32_t pd, uint32_t key, uint64_t address, uint64_t size,
                        Direction direction, Access access) {
    const Mkey* mkey = find_object(nic->objects.mkeys, key >> 8);

    if (!mkey || mkey->key != key) {
        log_say(nic, "key %#x is not there", key);
        return NULL;
    }
    if (mkey->free) {
        log_say(nic, "key %#x is free", key);
        return NULL;
    }
    if (mkey->pd != pd) {
        log_say(nic, "key %#x is of protection domain %#x, not of %#x", key, mkey->pd, pd);
        return NULL;
    }
    if (!mkey->all && (address < mkey->start || address - mkey->start > mkey->length ||
                       size > mkey->length - (address - mkey->start))) {
        log_say(nic, "key %#x: %#" PRIx64 " + %" PRIu64 " outside %#" PRIx64 " + %#" PRIx64, key,
                address, size, mkey->start, mkey->length);
        return NULL;
    }
    if (!has_right(mkey, direction, access)) {
        log_say(nic, "key %#x does not allow this", key);
        return NULL;
    }
    // Behind a window is a key that is no window: this ends here.
    if (mkey->mode == kOneRange &&
        !find(nic, pd, mkey->range_key, mkey->range_address + (address - mkey->start), size,
              direction, kByLocal)) {
        return NULL;
    }
    return mkey;
}

bool mkey_allows(Connectx* nic, uint32_t pd, uint32_t key, uint64_t address, uint64_t size,
                 Direction direction, Access access) {
    return size == 0 || find(nic, pd, key, address, size, direction, access) != NULL;
}

bool mkey_copy(Connectx* nic, uint32_t pd, uint32_t key, uint64_t address, void* data, size_t size,
               Direction direction, Access access) {
    const Mkey* mkey;

    if (size == 0) {
        return true;
    }
    mkey = find(nic, pd, key, address, size, direction, access);
    if (!mkey) {
        return false;
    }
    if (mkey->mode == kOneRange) {
        return mkey_copy(nic, pd, mkey->range_key, mkey->range_address + (address - mkey->start),
                         data, size, direction, kByLocal);
    }
    if (mkey->mode == kPhysical) {
        return dma_copy(nic, address, data, size, direction);
    }
    return buffer_copy(nic, &mkey->buffer, address - mkey->start, data, size, direction);
}

Status mkey_create(Connectx* nic, Command* command) {
    const uint8_t* context = IFC_AT(create_mkey_in, command->in, memory_key_mkey_entry);
    const size_t list = IFC_OFF(create_mkey_in, klm_pas_mtt) / 8;
    const unsigned shift = IFC_GET(mkc, context, log_page_size);
    const uint32_t index = nic->objects.next_mkey + 1;
    Mkey* mkey = g_new0(Mkey, 1);

    fields_check(nic, "mkc", context, IFC_BYTES(mkc), kFields, ARRAY_SIZE(kFields));
    mkey->key = index << 8 | IFC_GET(mkc, context, mkey_7_0);
    mkey->pd = IFC_GET(mkc, context, pd);
    mkey->mode = IFC_GET(mkc, context, access_mode_1_0) | IFC_GET(mkc, context, access_mode_4_2)
                                                              << 2;
    mkey->free = IFC_GET(mkc, context, free);
    mkey->all = IFC_GET(mkc, context, length64);
    mkey->local_write = IFC_GET(mkc, context, lw);
    mkey->remote_read = IFC_GET(mkc, context, rr);
    mkey->remote_write = IFC_GET(mkc, context, rw);
    mkey->atomic = IFC_GET(mkc, context, a);
    mkey->start = IFC_GET(mkc, context, start_addr);
    mkey->length = IFC_GET(mkc, context, len);
    mkey->qp = IFC_GET(mkc, context, qpn);
    mkey->remote_invalidate = IFC_GET(mkc, context, en_rinval);
    if (mkey->mode == kPageList && shift > 0 && !IFC_GET(mkc, context, free)) {
        const size_t entries = command_rest(command, list) / sizeof(uint64_t);

        mkey->buffer.shift = shift;
        mkey->buffer.count = entries;
        mkey->buffer.offset = mkey->start & ((UINT64_C(1) << shift) - 1);
        mkey->buffer.pages = g_new0(uint64_t, entries + 1);
        for (size_t i = 0; i < entries; i++) {
            mkey->buffer.pages[i] =
                ldq_be_p(command->in + list + sizeof(uint64_t) * i) & ~(uint64_t)kAddressFlags;
        }
        if (!mkey->all && !buffer_holds(&mkey->buffer, mkey->length)) {
            log_violation(nic, "key of %#" PRIx64 " bytes with %zu pages of 2^%u", mkey->length,
                          entries, shift);
            mkey_free(mkey);
            return kBadParameter;
        }
    }
    if (!pd_use(nic, mkey->pd)) {
        log_violation(nic, "key of protection domain %#x, which is not there", mkey->pd);
        mkey_free(mkey);
        return kBadResource;
    }
    nic->objects.next_mkey = index;
    add_object(nic->objects.mkeys, index, mkey);
    IFC_SET(create_mkey_out, command->out, mkey_index, index);
    log_say(nic, "      key %#x: mode %u, %#" PRIx64 " + %#" PRIx64 ", %u pages of 2^%u%s",
            mkey->key, mkey->mode, mkey->start, mkey->length, mkey->buffer.count, shift,
            mkey->all ? ", all memory" : "");
    return kOk;
}

bool mkey_invalidate(Connectx* nic, uint32_t pd, uint32_t key) {
    Mkey* mkey = find_object(nic->objects.mkeys, key >> 8);

    if (!mkey || mkey->key != key || mkey->pd != pd || mkey->free || !mkey->remote_invalidate) {
        log_say(nic, "key %#x may not be invalidated", key);
        return false;
    }
    mkey->free = true;
    if (mkey->mode == kOneRange) {
        mkey->qp = kEveryQp;
    }
    log_say(nic, "      key %#x: free", key);
    return true;
}

// Changes one right, or another property that a bit says.
static void change(uint64_t mask, uint64_t bit, bool value, bool* property) {
    if (mask & bit) {
        *property = value;
    }
}

static bool change_range(Connectx* nic, Mkey* mkey, uint64_t mask, const uint8_t* context) {
    const uint64_t start = mask & kMaskStart ? IFC_GET(mkc, context, start_addr) : mkey->start;
    const uint64_t length = mask & kMaskLength ? IFC_GET(mkc, context, len) : mkey->length;
    Buffer moved = mkey->buffer;

    if (!(mask & (kMaskStart | kMaskLength))) {
        return true;
    }
    moved.offset = start & ((UINT64_C(1) << moved.shift) - 1);
    if (mkey->mode == kPageList && !buffer_holds(&moved, length)) {
        log_violation(nic, "key %#x: its pages hold no %#" PRIx64 " bytes", mkey->key, length);
        return false;
    }
    mkey->buffer = moved;
    mkey->start = start;
    mkey->length = length;
    return true;
}

bool mkey_change(Connectx* nic, uint32_t key, uint64_t mask, const uint8_t* context) {
    const uint64_t known = kMaskIgnored | kMaskLength | kMaskStart | kMaskPd | kMaskVariant |
                           kMaskLocalWrite | kMaskRemoteRead | kMaskRemoteWrite | kMaskAtomic |
                           kMaskFree;
    const uint32_t pd = IFC_GET(mkc, context, pd);
    Mkey* mkey = find_object(nic->objects.mkeys, key >> 8);

    if (!mkey || mkey->key != key) {
        log_violation(nic, "a change of key %#x, which is not there", key);
        return false;
    }
    if (mask & ~known) {
        log_violation(nic, "key %#x: unknown changes %#" PRIx64, key, mask & ~known);
        return false;
    }
    if (!change_range(nic, mkey, mask, context)) {
        return false;
    }
    if (mask & kMaskPd && pd != mkey->pd) {
        if (!pd_use(nic, pd)) {
            log_violation(nic, "key %#x: there is no protection domain %#x", key, pd);
            return false;
        }
        pd_unuse(nic, mkey->pd);
        mkey->pd = pd;
    }
    change(mask, kMaskLocalWrite, IFC_GET(mkc, context, lw), &mkey->local_write);
    change(mask, kMaskRemoteRead, IFC_GET(mkc, context, rr), &mkey->remote_read);
    change(mask, kMaskRemoteWrite, IFC_GET(mkc, context, rw), &mkey->remote_write);
    change(mask, kMaskAtomic, IFC_GET(mkc, context, a), &mkey->atomic);
    change(mask, kMaskFree, IFC_GET(mkc, context, free), &mkey->free);
    if (mask & kMaskVariant) {
        mkey->key = mkey->key >> 8 << 8 | IFC_GET(mkc, context, mkey_7_0);
    }
    log_say(nic, "      key %#x: changed, %#" PRIx64, mkey->key, mask);
    return true;
}

Status mkey_destroy(Connectx* nic, Command* command) {
    const uint32_t index = command_object(command);
    const Mkey* mkey = find_object(nic->objects.mkeys, index);

    if (!mkey) {
        log_violation(nic, "there is no key %#x", index);
        return kBadResource;
    }
    pd_unuse(nic, mkey->pd);
    g_hash_table_remove(nic->objects.mkeys, GUINT_TO_POINTER(index));
    return kOk;
}
