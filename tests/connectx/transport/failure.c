// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/transport/failure.h"

#include "connectx/objects/eq.h"
#include "connectx/transport/requester.h"
#include "connectx/transport/responder.h"

void qp_to_error(Connectx* nic, Qp* qp) {
    if (qp->state != kError && qp->rq_type == kSharedRq) {
        eq_post_object(nic, kEventLastWqe, qp->number);
    }
    qp->state = kError;
    qp->waits = false;
    requester_flush(nic, qp);
    responder_flush(nic, qp);
}
