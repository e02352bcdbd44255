// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/objects/cq.h"

#include "connectx/fields.h"
#include "connectx/log.h"
#include "connectx/objects/eq.h"

enum {
    kSolicitedOnly = 1 << 24,  // in the upper half of a doorbell
    kCqNumberInEvent = 24,
    kSyndrome = 11,  // in the data of an error event, which begin with the number
    kErrorOverrun = 1,
    kDataSize = 28,
    kModifierResize = 1,  // of MODIFY_CQ
    kResizes = 7,         // resize_field_select: size, page size and offset
};

// cqe_sz: bytes of an entry, and whether the adapter writes those before a completion as well.
enum { kSize64 = 0, kSize128 = 1, kSize128Padded = 2 };

static const Field kFields[] = {
    KNOWN(cqc, status),
    KNOWN(cqc, cqe_sz),
    KNOWN(cqc, oi),
    KNOWN(cqc, page_offset),
    KNOWN(cqc, log_cq_size),
    KNOWN(cqc, uar_page),
    KNOWN(cqc, cq_period_mode),
    KNOWN(cqc, cq_period),
    KNOWN(cqc, cq_max_count),
    KNOWN(cqc, c_eqn_or_apu_element),
    KNOWN(cqc, log_page_size),
    KNOWN(cqc, dbr_addr),
};

static const Field kResizeFields[] = {
    KNOWN(cqc, cqe_sz),
    KNOWN(cqc, page_offset),
    KNOWN(cqc, log_cq_size),
    KNOWN(cqc, log_page_size),
};

void cq_free(void* cq) {
    buffer_free(&((Cq*)cq)->buffer);
    g_free(cq);
}

static void notify(Connectx* nic, Cq* cq) {
    Eq* eq = find_object(nic->objects.eqs, cq->eq);
    uint8_t data[kDataSize] = {0};

    cq->armed = false;
    cq->told = cq->producer;
    if (eq) {
        stl_be_p(data + kCqNumberInEvent, cq->number);
        eq_post(nic, eq, kEventCompletion, data, sizeof(data));
    }
}

// The entries that the consumer has not given back (its doorbell record says).
static uint32_t used(Connectx* nic, const Cq* cq) {
    const uint32_t consumer = dma_be32(nic, cq->doorbell_record) & kNumberMask;

    return (cq->producer - consumer) & kNumberMask;
}

static bool is_full(Connectx* nic, const Cq* cq) {
    return used(nic, cq) >= 1u << cq->log_size;
}

static void fail(Connectx* nic, Cq* cq) {
    Eq* eq = eq_of_event(nic, kEventCqError);
    uint8_t data[kDataSize] = {0};

    cq->overrun = true;
    log_say(nic, "CQ %#x: overrun", cq->number);
    if (eq) {
        stl_be_p(data, cq->number);
        data[kSyndrome] = kErrorOverrun;
        eq_post(nic, eq, kEventCqError, data, sizeof(data));
    }
}

// Whether an entry raises an event of a queue that waits for solicited ones only.
static bool is_urgent(uint8_t last) {
    return last & kCqeSolicited || last >> 4 >= kCqeRequesterError;
}

static void write_entry(Connectx* nic, Cq* cq, uint8_t* cqe) {
    // The entry is the last part of its place.
    const uint64_t at = (uint64_t)(cq->producer & ((1u << cq->log_size) - 1)) * cq->entry_size +
                        cq->entry_size - kCqe;
    uint8_t owner = (cqe[kCqeLast] & ~1) | (cq->producer >> cq->log_size & 1);
    uint8_t padding[kCqe] = {0};

    if (IFC_GET(cqc, cq->context, cqe_sz) == kSize128Padded) {
        buffer_copy(nic, &cq->buffer, at - kCqe, padding, sizeof(padding), kWriteMemory);
    }
    cqe[kCqeLast] = owner ^ 1;
    buffer_copy(nic, &cq->buffer, at, cqe, kCqe, kWriteMemory);
    smp_wmb();
    buffer_copy(nic, &cq->buffer, at + kCqeLast, &owner, 1, kWriteMemory);
    cq->producer++;
}

void cq_post(Connectx* nic, uint32_t number, uint8_t* cqe) {
    const uint8_t last = cqe[kCqeLast];
    Cq* cq = find_object(nic->objects.cqs, number);

    if (!cq || cq->overrun) {
        return;
    }
    if (!cq->may_overrun && is_full(nic, cq)) {
        fail(nic, cq);
        return;
    }
    write_entry(nic, cq, cqe);
    if (cq->armed && (!cq->solicited_only || is_urgent(last))) {
        notify(nic, cq);
    }
}

void cq_doorbell(Connectx* nic, unsigned uar, uint64_t value) {
    const uint32_t number = (uint32_t)value & kNumberMask;
    Cq* cq = find_object(nic->objects.cqs, number);

    if (!cq && was_given(number, nic->objects.next_cq)) {
        log_say(nic, "doorbell of CQ %#x, which is gone", number);
        return;
    }
    if (!cq || cq->uar != uar) {
        log_violation(nic, "doorbell of CQ %#x in UAR %u: %s", number, uar,
                      cq ? "the queue has another UAR" : "there is no such queue");
        return;
    }
    cq->armed = true;
    cq->solicited_only = value >> 32 & kSolicitedOnly;
    // Entries that were told of are not told of again: the consumer may arm the queue before it
    // looks (perftest does, and believes that each event has an entry).
    if (!cq->solicited_only && cq->producer != cq->told &&
        (cq->producer & kNumberMask) != (value >> 32 & kNumberMask)) {
        notify(nic, cq);
    }
}

bool cq_use(Connectx* nic, uint32_t number) {
    Cq* cq = find_object(nic->objects.cqs, number);

    if (cq) {
        cq->users++;
    }
    return cq != NULL;
}

void cq_unuse(Connectx* nic, uint32_t number) {
    Cq* cq = find_object(nic->objects.cqs, number);

    if (cq) {
        cq->users--;
    }
}

Status cq_create(Connectx* nic, Command* command) {
    const uint8_t* context = IFC_AT(create_cq_in, command->in, cq_context);
    const size_t list = IFC_OFF(create_cq_in, pas) / 8;
    Cq* cq = g_new0(Cq, 1);

    fields_check(nic, "cqc", context, kCqContext, kFields, ARRAY_SIZE(kFields));
    memcpy(cq->context, context, sizeof(cq->context));
    cq->log_size = IFC_GET(cqc, context, log_cq_size);
    cq->entry_size = IFC_GET(cqc, context, cqe_sz) == kSize64 ? kCqe : 2 * kCqe;
    cq->eq = IFC_GET(cqc, context, c_eqn_or_apu_element);
    cq->uar = IFC_GET(cqc, context, uar_page);
    cq->doorbell_record = IFC_GET(cqc, context, dbr_addr);
    cq->may_overrun = IFC_GET(cqc, context, oi);
    buffer_init(&cq->buffer, command->in + list, command_rest(command, list),
                IFC_GET(cqc, context, log_page_size), IFC_GET(cqc, context, page_offset));
    if (IFC_GET(cqc, context, cqe_sz) > kSize128Padded || !find_object(nic->objects.eqs, cq->eq) ||
        cq->uar >= kUars || !nic->objects.uars[cq->uar] ||
        !buffer_holds(&cq->buffer, (uint64_t)cq->entry_size << cq->log_size)) {
        log_violation(nic, "CQ of 2^%u x %u bytes, EQ %u, UAR %u, %u pages", cq->log_size,
                      cq->entry_size, cq->eq, cq->uar, cq->buffer.count);
        cq_free(cq);
        return kBadParameter;
    }
    cq->number = ++nic->objects.next_cq;
    add_object(nic->objects.cqs, cq->number, cq);
    command_answer_object(command, cq->number);
    log_say(nic, "      CQ %#x: 2^%u x %u bytes, EQ %u, UAR %u", cq->number, cq->log_size,
            cq->entry_size, cq->eq, cq->uar);
    return kOk;
}

static Status find(Connectx* nic, const Command* command, Cq** cq) {
    *cq = find_object(nic->objects.cqs, command_object(command));
    if (!*cq) {
        log_violation(nic, "there is no CQ %#x", command_object(command));
        return kBadResource;
    }
    return kOk;
}

Status cq_destroy(Connectx* nic, Command* command) {
    Cq* cq;
    const Status status = find(nic, command, &cq);

    if (status != kOk) {
        return status;
    }
    if (cq->users > 0) {
        log_violation(nic, "CQ %#x is destroyed with %u users", cq->number, cq->users);
        return kResourceBusy;
    }
    g_hash_table_remove(nic->objects.cqs, GUINT_TO_POINTER(cq->number));
    return kOk;
}

Status cq_query(Connectx* nic, Command* command) {
    Cq* cq;
    const Status status = find(nic, command, &cq);

    if (status == kOk) {
        memcpy(IFC_AT(query_cq_out, command->out, cq_context), cq->context, sizeof(cq->context));
    }
    return status;
}

// Goes on in another buffer.  The last entry in the old one says so: the library takes those before
// it to the new buffer, each to the place after its own, so that the place of the last one is free
// there.
static Status resize(Connectx* nic, Command* command, Cq* cq) {
    const uint8_t* context = IFC_AT(modify_cq_in, command->in, cq_context);
    const size_t list = IFC_OFF(modify_cq_in, pas) / 8;
    const uint32_t fields =
        IFC_GET(modify_cq_in, command->in,
                modify_field_select_resize_field_select.resize_field_select.resize_field_select);
    const unsigned log_size = IFC_GET(cqc, context, log_cq_size);
    uint8_t cqe[kCqe] = {[kCqeLast] = kCqeResized << 4};
    Buffer buffer;

    fields_check(nic, "cqc of modify_cq", context, kCqContext, kResizeFields,
                 ARRAY_SIZE(kResizeFields));
    if (fields != kResizes || IFC_GET(cqc, context, cqe_sz) != IFC_GET(cqc, cq->context, cqe_sz)) {
        log_violation(nic, "CQ %#x: resize of the fields %#x, entry size %u", cq->number, fields,
                      (unsigned)IFC_GET(cqc, context, cqe_sz));
        return kBadParameter;
    }
    buffer_init(&buffer, command->in + list, command_rest(command, list),
                IFC_GET(cqc, context, log_page_size), IFC_GET(cqc, context, page_offset));
    if (!buffer_holds(&buffer, (uint64_t)cq->entry_size << log_size)) {
        log_violation(nic, "CQ %#x: 2^%u x %u bytes in %u pages", cq->number, log_size,
                      cq->entry_size, buffer.count);
        buffer_free(&buffer);
        return kBadParameter;
    }
    if (cq->overrun || is_full(nic, cq) || used(nic, cq) >= UINT64_C(1) << log_size) {
        log_say(nic, "      CQ %#x: no room for what is in it", cq->number);
        buffer_free(&buffer);
        return kBadParameter;
    }
    write_entry(nic, cq, cqe);
    buffer_free(&cq->buffer);
    cq->buffer = buffer;
    cq->log_size = log_size;
    IFC_SET(cqc, cq->context, log_cq_size, log_size);
    log_say(nic, "      CQ %#x: now 2^%u", cq->number, log_size);
    return kOk;
}

// Moderation is accepted, and events come at once all the same.
Status cq_modify(Connectx* nic, Command* command) {
    Cq* cq;
    const Status status = find(nic, command, &cq);

    return status == kOk && command->modifier == kModifierResize ? resize(nic, command, cq)
                                                                 : status;
}
