// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/objects/eq.h"

#include "connectx/fields.h"
#include "connectx/log.h"
#include "hw/pci/msix.h"

enum {
    kEntry = 64,
    kData = 32,  // bytes before the event's own
    kOwner = 63,
    kNumberOfObject = 24,  // in the data of an event about an object
    kDataSize = 28,
    kMaxEqs = 255,
};

static const Field kFields[] = {
    KNOWN(eqc, status), KNOWN(eqc, log_eq_size),   KNOWN(eqc, uar_page),
    KNOWN(eqc, intr),   KNOWN(eqc, log_page_size),
};

void eq_free(void* eq) {
    buffer_free(&((Eq*)eq)->buffer);
    g_free(eq);
}

static void fire(Connectx* nic, Eq* eq) {
    eq->armed = false;
    msix_notify(&nic->parent_obj, eq->vector);
}

void eq_post(Connectx* nic, Eq* eq, Event event, const void* data, size_t size) {
    uint8_t entry[kEntry] = {0};
    uint8_t owner = eq->producer >> eq->log_size & 1;
    const uint64_t at = (uint64_t)(eq->producer & ((1u << eq->log_size) - 1)) * kEntry;

    entry[1] = event;
    memcpy(entry + kData, data, size);
    // The driver takes an entry whose owner is its own; all else is written before.
    entry[kOwner] = !owner;
    buffer_copy(nic, &eq->buffer, at, entry, kEntry, kWriteMemory);
    smp_wmb();
    buffer_copy(nic, &eq->buffer, at + kOwner, &owner, 1, kWriteMemory);
    eq->producer++;
    if (eq->armed) {
        fire(nic, eq);
    }
}

Eq* eq_of_event(Connectx* nic, Event event) {
    GHashTableIter each;
    Eq* eq;

    g_hash_table_iter_init(&each, nic->objects.eqs);
    while (g_hash_table_iter_next(&each, NULL, (void**)&eq)) {
        if (eq->mask[event / 64] >> (event % 64) & 1) {
            return eq;
        }
    }
    return NULL;
}

void eq_post_object(Connectx* nic, Event event, uint32_t number) {
    Eq* eq = eq_of_event(nic, event);
    uint8_t data[kDataSize] = {0};

    if (eq) {
        stl_be_p(data + kNumberOfObject, number);
        eq_post(nic, eq, event, data, sizeof(data));
    }
}

void eq_doorbell(Connectx* nic, unsigned uar, uint32_t value, bool arm) {
    Eq* eq = find_object(nic->objects.eqs, value >> 24);

    if (!eq || eq->uar != uar) {
        log_violation(nic, "doorbell of EQ %u in UAR %u: %s", value >> 24, uar,
                      eq ? "the queue has another UAR" : "there is no such queue");
        return;
    }
    eq->consumer = value & kNumberMask;
    if (arm) {
        eq->armed = true;
        if ((eq->producer & kNumberMask) != eq->consumer) {
            fire(nic, eq);
        }
    }
}

Status eq_create(Connectx* nic, Command* command) {
    const uint8_t* context = IFC_AT(create_eq_in, command->in, eq_context_entry);
    const size_t list = IFC_OFF(create_eq_in, pas) / 8;
    Eq* eq = g_new0(Eq, 1);

    fields_check(nic, "eqc", context, IFC_BYTES(eqc), kFields, ARRAY_SIZE(kFields));
    for (eq->number = 1; find_object(nic->objects.eqs, eq->number); eq->number++) {
    }
    eq->log_size = IFC_GET(eqc, context, log_eq_size);
    eq->vector = IFC_GET(eqc, context, intr);
    eq->uar = IFC_GET(eqc, context, uar_page);
    for (int i = 0; i < 4; i++) {
        eq->mask[i] = ldq_be_p(IFC_AT(create_eq_in, command->in, event_bitmask) + (size_t)8 * i);
    }
    buffer_init(&eq->buffer, command->in + list, command_rest(command, list),
                IFC_GET(eqc, context, log_page_size), 0);
    if (eq->number > kMaxEqs || eq->vector >= kVectors || eq->uar >= kUars ||
        !nic->objects.uars[eq->uar] ||
        !buffer_holds(&eq->buffer, (uint64_t)kEntry << eq->log_size)) {
        log_violation(nic, "EQ of 2^%u entries, vector %u, UAR %u, %u pages", eq->log_size,
                      eq->vector, eq->uar, eq->buffer.count);
        eq_free(eq);
        return kBadParameter;
    }
    add_object(nic->objects.eqs, eq->number, eq);
    command_answer_object(command, eq->number);
    log_say(nic, "      EQ %u: 2^%u entries, vector %u, events %#" PRIx64, eq->number, eq->log_size,
            eq->vector, eq->mask[0]);
    return kOk;
}

Status eq_destroy(Connectx* nic, Command* command) {
    return g_hash_table_remove(nic->objects.eqs,
                               GUINT_TO_POINTER(command_object(command) & kMaxEqs))
               ? kOk
               : kBadResource;
}
