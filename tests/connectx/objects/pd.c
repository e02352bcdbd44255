// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/objects/pd.h"

#include "connectx/log.h"

typedef struct {
    uint32_t number;
    unsigned users;
} Pd;

bool pd_use(Connectx* nic, uint32_t number) {
    Pd* pd = find_object(nic->objects.pds, number);

    if (pd) {
        pd->users++;
    }
    return pd != NULL;
}

void pd_unuse(Connectx* nic, uint32_t number) {
    Pd* pd = find_object(nic->objects.pds, number);

    if (pd) {
        pd->users--;
    }
}

Status pd_alloc(Connectx* nic, Command* command) {
    Pd* pd = g_new0(Pd, 1);

    pd->number = ++nic->objects.next_number;
    add_object(nic->objects.pds, pd->number, pd);
    command_answer_object(command, pd->number);
    return kOk;
}

Status pd_dealloc(Connectx* nic, Command* command) {
    const Pd* pd = find_object(nic->objects.pds, command_object(command));

    if (!pd) {
        log_violation(nic, "there is no protection domain %#x", command_object(command));
        return kBadResource;
    }
    if (pd->users > 0) {
        log_violation(nic, "protection domain %#x has %u users", pd->number, pd->users);
        return kResourceBusy;
    }
    g_hash_table_remove(nic->objects.pds, GUINT_TO_POINTER(pd->number));
    return kOk;
}
