// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/queue_pairs/queue_pairs.h"

#include "connectx/fields.h"
#include "connectx/log.h"
#include "connectx/objects/cq.h"
#include "connectx/objects/pd.h"
#include "connectx/objects/srq.h"
#include "connectx/transport/transport.h"

static const Field kFields[] = {
    KNOWN(qpc, st),
    KNOWN(qpc, pm_state),
    KNOWN(qpc, block_lb_mc),
    KNOWN(qpc, latency_sensitive),
    KNOWN(qpc, pd),
    KNOWN(qpc, mtu),
    KNOWN(qpc, log_msg_max),
    KNOWN(qpc, log_rq_size),
    KNOWN(qpc, log_rq_stride),
    KNOWN(qpc, no_sq),
    KNOWN(qpc, log_sq_size),
    KNOWN(qpc, rlky),
    KNOWN(qpc, counter_set_id),
    KNOWN(qpc, uar_page),
    KNOWN(qpc, user_index),
    KNOWN(qpc, log_page_size),
    KNOWN(qpc, remote_qpn),
    KNOWN(qpc, fre),
    KNOWN(qpc, cqn_snd),
    KNOWN(qpc, cqn_rcv),
    KNOWN(qpc, page_offset),
    KNOWN(qpc, dbr_addr),
    KNOWN(qpc, q_key),
    KNOWN(qpc, rq_type),
    KNOWN(qpc, srqn_rmpn_xrqn),
    KNOWN(qpc, cs_req),
    KNOWN(qpc, cs_res),
    KNOWN(qpc, xrcd),
};

// The queue pair for UMR is of no protection domain.
static bool use_pd(Connectx* nic, const Qp* qp) {
    return qp->type == kUmr || pd_use(nic, qp->pd);
}

static void unuse_pd(Connectx* nic, const Qp* qp) {
    if (qp->type != kUmr) {
        pd_unuse(nic, qp->pd);
    }
}

// Counts the queue pair among the users of its objects, all of them or none.
static bool use_objects(Connectx* nic, const Qp* qp) {
    Srq* srq = NULL;

    if (qp->rq_type == kSharedRq) {
        srq = find_object(nic->objects.srqs, QPC(qp, srqn_rmpn_xrqn));
        if (!srq) {
            return false;
        }
    }
    if (!use_pd(nic, qp)) {
        return false;
    }
    if (!cq_use(nic, QPC(qp, cqn_snd))) {
        unuse_pd(nic, qp);
        return false;
    }
    if (!cq_use(nic, QPC(qp, cqn_rcv))) {
        cq_unuse(nic, QPC(qp, cqn_snd));
        unuse_pd(nic, qp);
        return false;
    }
    if (srq) {
        srq->users++;
    }
    return true;
}

static void unuse_objects(Connectx* nic, const Qp* qp) {
    Srq* srq =
        qp->rq_type == kSharedRq ? find_object(nic->objects.srqs, QPC(qp, srqn_rmpn_xrqn)) : NULL;

    if (srq) {
        srq->users--;
    }
    cq_unuse(nic, QPC(qp, cqn_snd));
    cq_unuse(nic, QPC(qp, cqn_rcv));
    unuse_pd(nic, qp);
}

// Whether the pages have room for both queues, and the UAR is allocated, which a queue pair without
// send queue has no use for.
static bool has_room(Connectx* nic, const Qp* qp) {
    const uint64_t bytes = qp->sq_at + (qp->has_sq ? (uint64_t)kBurst << qp->sq_log : 0);
    const bool has_uar = qp->uar < kUars && nic->objects.uars[qp->uar];

    return (has_uar || !qp->has_sq) && buffer_holds(&qp->buffer, bytes);
}

Status qp_create(Connectx* nic, Command* command) {
    const uint8_t* context = IFC_AT(create_qp_in, command->in, qpc);
    const size_t list = IFC_OFF(create_qp_in, pas) / 8;
    Qp* qp = g_new0(Qp, 1);

    fields_check(nic, "qpc", context, kQpContext, kFields, ARRAY_SIZE(kFields));
    memcpy(qp->context, context, sizeof(qp->context));
    qp->type = QPC(qp, st);
    qp->pd = QPC(qp, pd);
    qp->uar = QPC(qp, uar_page);
    qp->rq_type = QPC(qp, rq_type);
    qp->rq_log = QPC(qp, log_rq_size);
    qp->rq_log_stride = QPC(qp, log_rq_stride) + 4;
    qp->sq_log = QPC(qp, log_sq_size);
    qp->has_sq = !QPC(qp, no_sq);
    qp->doorbell_record = IFC_GET(qpc, context, dbr_addr);
    qp->sq_at = qp->rq_type == kOwnRq ? UINT64_C(1) << (qp->rq_log + qp->rq_log_stride) : 0;
    buffer_init(&qp->buffer, command->in + list, command_rest(command, list),
                QPC(qp, log_page_size), QPC(qp, page_offset));
    if (!has_room(nic, qp)) {
        log_violation(nic, "QP of RQ type %u 2^%u x 2^%u bytes, SQ %d 2^%u, UAR %u, %u pages",
                      qp->rq_type, qp->rq_log, qp->rq_log_stride, qp->has_sq, qp->sq_log, qp->uar,
                      qp->buffer.count);
        qp_free(qp);
        return kBadParameter;
    }
    if (!use_objects(nic, qp)) {
        log_violation(nic, "QP of PD %#x, CQs %#x and %#x, SRQ %#x, not all of which are there",
                      qp->pd, QPC(qp, cqn_snd), QPC(qp, cqn_rcv), QPC(qp, srqn_rmpn_xrqn));
        qp_free(qp);
        return kBadResource;
    }
    qp->number = nic->objects.next_qp + 1;
    if (!transport_add(nic, qp)) {
        log_violation(nic, "a second QP for general services");
        unuse_objects(nic, qp);
        qp_free(qp);
        return kBadResource;
    }
    nic->objects.next_qp = qp->number;
    add_object(nic->objects.qps, qp->number, qp);
    IFC_SET(create_qp_out, command->out, qpn, qp->number);
    IFC_SET(create_qp_out, command->out, ece, IFC_GET(create_qp_in, command->in, ece));
    log_say(nic,
            "      QP %#x: type %u, RQ type %u 2^%u x 2^%u bytes, SQ %d 2^%u, CQs %#x %#x, UAR %u",
            qp->number, qp->type, qp->rq_type, qp->rq_log, qp->rq_log_stride, qp->has_sq,
            qp->sq_log, QPC(qp, cqn_snd), QPC(qp, cqn_rcv), qp->uar);
    return kOk;
}

Status qp_destroy(Connectx* nic, Command* command) {
    const Qp* qp = qp_of_command(nic, command);

    if (!qp) {
        return kBadResource;
    }
    log_say(nic, "      so far %" PRIu64 " doorbells and %" PRIu64 " BlueFlame bursts",
            nic->doorbells.doorbells, nic->doorbells.bursts);
    transport_log_counters(nic);
    unuse_objects(nic, qp);
    g_hash_table_remove(nic->objects.qps, GUINT_TO_POINTER(qp->number));
    return kOk;
}

Status qp_query(Connectx* nic, Command* command) {
    const Qp* qp = qp_of_command(nic, command);
    uint8_t* context = IFC_AT(query_qp_out, command->out, qpc);

    if (!qp) {
        return kBadResource;
    }
    memcpy(context, qp->context, sizeof(qp->context));
    IFC_SET(qpc, context, state, qp->state);
    transport_query(qp, context);
    return kOk;
}

static Status change_group(Connectx* nic, const Command* command, bool attach) {
    const uint8_t* gid = IFC_AT(attach_to_mcg_in, command->in, multicast_gid);
    const Qp* qp = qp_of_command(nic, command);

    if (!qp) {
        return kBadResource;
    }
    if (!transport_change_group(qp, gid, attach)) {
        log_violation(nic, "QP %#x is %s the group, or takes no datagrams", qp->number,
                      attach ? "in" : "not in");
        return kBadParameter;
    }
    return kOk;
}

Status qp_attach(Connectx* nic, Command* command) {
    return change_group(nic, command, true);
}

Status qp_detach(Connectx* nic, Command* command) {
    return change_group(nic, command, false);
}
