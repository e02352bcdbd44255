// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/objects/others.h"

#include "connectx/log.h"

// The operation that makes objects of the kind that an operation is about.
static unsigned kind_of(unsigned operation) {
    switch (operation) {
        case MLX5_CMD_OP_DEALLOC_TRANSPORT_DOMAIN:
            return MLX5_CMD_OP_ALLOC_TRANSPORT_DOMAIN;
        case MLX5_CMD_OP_DEALLOC_XRCD:
            return MLX5_CMD_OP_ALLOC_XRCD;
        case MLX5_CMD_OP_DEALLOC_Q_COUNTER:
            return MLX5_CMD_OP_ALLOC_Q_COUNTER;
        case MLX5_CMD_OP_DESTROY_TIS:
        case MLX5_CMD_OP_MODIFY_TIS:
            return MLX5_CMD_OP_CREATE_TIS;
        default:
            return operation;
    }
}

Status other_create(Connectx* nic, Command* command) {
    const uint32_t number = ++nic->objects.next_number;

    add_object(nic->objects.others, number, GUINT_TO_POINTER(kind_of(command->operation)));
    command_answer_object(command, number);
    return kOk;
}

static Status check(Connectx* nic, const Command* command, uint32_t number) {
    const unsigned found = GPOINTER_TO_UINT(find_object(nic->objects.others, number));

    if (found != kind_of(command->operation)) {
        log_violation(nic, "operation %#x on object %#x, which %#x made", command->operation,
                      number, found);
        return kBadResource;
    }
    return kOk;
}

Status other_destroy(Connectx* nic, Command* command) {
    const uint32_t number = command_object(command);
    const Status status = check(nic, command, number);

    if (status == kOk) {
        g_hash_table_remove(nic->objects.others, GUINT_TO_POINTER(number));
    }
    return status;
}

Status other_modify(Connectx* nic, Command* command) {
    return check(nic, command, command_object(command));
}
