// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/ethernet/receivers.h"

#include "connectx/ethernet/receive_queue.h"
#include "connectx/log.h"

typedef struct {
    unsigned count;
    uint32_t queues[];
} Rqt;

typedef struct {
    bool indirect;
    uint32_t queue, table;
} Tir;

// Frames of one connection have one sum.  mlx5e does not ask how a queue was chosen.
static uint32_t sum_of(const uint8_t* frame, const Headers* headers) {
    const uint8_t* ip = frame + headers->network;
    uint32_t sum = headers->protocol;

    if (headers->version) {
        sum = headers->version == 4 ? checksum_add(sum, ip + 12, 8) : checksum_add(sum, ip + 8, 32);
    }
    if (headers->transport) {
        sum = checksum_add(sum, frame + headers->transport, 4);
    }
    return checksum_fold(sum);
}

void receiver_put(Connectx* nic, uint32_t number, const uint8_t* frame, size_t size,
                  const Headers* headers) {
    const Tir* tir = find_object(nic->objects.tirs, number);
    const Rqt* table;

    if (!tir) {
        return;
    }
    if (!tir->indirect) {
        receive_queue_put(nic, tir->queue, frame, size, headers);
        return;
    }
    table = find_object(nic->objects.rqts, tir->table);
    if (table && table->count > 0) {
        receive_queue_put(nic, table->queues[sum_of(frame, headers) % table->count], frame, size,
                          headers);
    }
}

static void put(Connectx* nic, Command* command, GHashTable* objects, void* object) {
    const uint32_t number = ++nic->objects.next_number;

    add_object(objects, number, object);
    command_answer_object(command, number);
}

static Status find(Connectx* nic, const Command* command, GHashTable* objects, const char* kind) {
    if (find_object(objects, command_object(command))) {
        return kOk;
    }
    log_violation(nic, "there is no %s %#x", kind, command_object(command));
    return kBadResource;
}

static Status destroy(Connectx* nic, const Command* command, GHashTable* objects,
                      const char* kind) {
    const Status status = find(nic, command, objects, kind);

    if (status == kOk) {
        g_hash_table_remove(objects, GUINT_TO_POINTER(command_object(command)));
    }
    return status;
}

Status tir_create(Connectx* nic, Command* command) {
    const uint8_t* context = IFC_AT(create_tir_in, command->in, ctx);
    Tir* tir = g_new0(Tir, 1);

    tir->indirect = IFC_GET(tirc, context, disp_type) == MLX5_TIRC_DISP_TYPE_INDIRECT;
    tir->queue = IFC_GET(tirc, context, inline_rqn);
    tir->table = IFC_GET(tirc, context, indirect_table);
    if (!find_object(tir->indirect ? nic->objects.rqts : nic->objects.rqs,
                     tir->indirect ? tir->table : tir->queue)) {
        log_violation(nic, "TIR of RQ %#x or RQT %#x, which is not there", tir->queue, tir->table);
        g_free(tir);
        return kBadResource;
    }
    put(nic, command, nic->objects.tirs, tir);
    return kOk;
}

// How frames are spread, which is the adapter's own choice here.
Status tir_modify(Connectx* nic, Command* command) {
    return find(nic, command, nic->objects.tirs, "TIR");
}

Status tir_destroy(Connectx* nic, Command* command) {
    return destroy(nic, command, nic->objects.tirs, "TIR");
}

// The table that a command describes; NULL if the command is shorter.
static Rqt* read_table(Connectx* nic, const Command* command, const uint8_t* context) {
    const unsigned count = IFC_GET(rqtc, context, rqt_actual_size);
    const uint8_t* list = IFC_AT(rqtc, context, rq_num);
    Rqt* table;

    if (count > command_rest(command, list - command->in) / sizeof(uint32_t)) {
        log_violation(nic, "RQT of %u queues in a command of %zu bytes", count, command->in_length);
        return NULL;
    }
    table = g_malloc0(sizeof(*table) + count * sizeof(table->queues[0]));
    table->count = count;
    for (unsigned i = 0; i < count; i++) {
        table->queues[i] = ldl_be_p(list + sizeof(uint32_t) * i) & kNumberMask;
    }
    return table;
}

Status rqt_create(Connectx* nic, Command* command) {
    Rqt* table = read_table(nic, command, IFC_AT(create_rqt_in, command->in, rqt_context));

    if (!table) {
        return kBadParameter;
    }
    put(nic, command, nic->objects.rqts, table);
    return kOk;
}

Status rqt_modify(Connectx* nic, Command* command) {
    const Status status = find(nic, command, nic->objects.rqts, "RQT");
    Rqt* table;

    if (status != kOk) {
        return status;
    }
    table = read_table(nic, command, IFC_AT(modify_rqt_in, command->in, ctx));
    if (!table) {
        return kBadParameter;
    }
    add_object(nic->objects.rqts, command_object(command), table);
    return kOk;
}

Status rqt_destroy(Connectx* nic, Command* command) {
    return destroy(nic, command, nic->objects.rqts, "RQT");
}
