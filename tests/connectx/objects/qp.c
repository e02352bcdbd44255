// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/objects/qp.h"

#include "connectx/log.h"
#include "connectx/roce/roce_transport.h"

void qp_free(void* opaque) {
    Qp* qp = opaque;

    if (qp->roce) {
        roce_qp_free(qp->roce);
    }
    buffer_free(&qp->buffer);
    g_free(qp);
}

bool qp_is_datagram(const Qp* qp) {
    return qp->type == kUd || qp->type == kSmi || qp->type == kGsi;
}

Qp* qp_of_command(Connectx* nic, const Command* command) {
    Qp* qp = find_object(nic->objects.qps, command_object(command));

    if (!qp) {
        log_violation(nic, "there is no QP %#x", command_object(command));
    }
    return qp;
}
