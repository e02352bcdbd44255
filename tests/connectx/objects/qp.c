// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/objects/qp.h"

#include "connectx/log.h"

void qp_free(void* qp) {
    buffer_free(&((Qp*)qp)->buffer);
    g_free(qp);
}

bool qp_is_datagram(const Qp* qp) {
    return qp->type == kUd || qp->type == kSmi || qp->type == kGsi;
}

bool qp_receives(const Qp* qp) {
    return !qp->frames && (qp->state == kRtr || qp->state == kRts || qp->state == kSqError ||
                           qp->state == kSqDrained);
}

Qp* qp_of_command(Connectx* nic, const Command* command) {
    Qp* qp = find_object(nic->objects.qps, command_object(command));

    if (!qp) {
        log_violation(nic, "there is no QP %#x", command_object(command));
    }
    return qp;
}
