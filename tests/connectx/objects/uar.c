// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/objects/uar.h"

#include "connectx/log.h"

Status uar_alloc(Connectx* nic, Command* command) {
    for (unsigned i = kFirstUar; i < kUars; i++) {
        if (!nic->objects.uars[i]) {
            nic->objects.uars[i] = 1;
            IFC_SET(alloc_uar_out, command->out, uar, i);
            return kOk;
        }
    }
    return kNoResources;
}

Status uar_dealloc(Connectx* nic, Command* command) {
    const uint32_t page = command_object(command);

    if (page < kFirstUar || page >= kUars || !nic->objects.uars[page]) {
        log_violation(nic, "there is no UAR %#x", page);
        return kBadResource;
    }
    nic->objects.uars[page] = 0;
    return kOk;
}
