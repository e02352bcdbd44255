// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// Transitions between the states of a queue pair, and the fields that each of them sets.
#include "connectx/log.h"
#include "connectx/queue_pairs/queue_pairs.h"
#include "connectx/transport/transport.h"

// Bits of opt_param_mask (MLX5_QP_OPTPAR_* of <linux/mlx5/qp.h>).
enum {
    kSetsRre = 1 << 1,
    kSetsRae = 1 << 2,
    kSetsRwe = 1 << 3,
    kSetsPkeyIndex = 1 << 4,
    kSetsQkey = 1 << 5,
    kSetsRnrTimer = 1 << 6,
    kSetsPath = 1 << 7,
    kSetsSraMax = 1 << 8,
    kSetsRraMax = 1 << 9,
    kSetsRetryCount = 1 << 12,
    kSetsRnrRetry = 1 << 13,
    kSetsAckTimeout = 1 << 14,
};

enum { kAnyState = (1 << (kError + 1)) - 1, kPath = 44 };

typedef struct {
    unsigned operation;
    unsigned from;     // a bit for each state
    int to;            // -1: as it was
    uint32_t always;   // the parameters that it sets, in bits of opt_param_mask
    bool remote, psn;  // it sets the peer and the receiver's PSN; the sender's PSN
} Transition;

static const Transition kTransitions[] = {
    {MLX5_CMD_OP_RST2INIT_QP, 1 << kRst, kInit,
     kSetsRre | kSetsRae | kSetsRwe | kSetsPkeyIndex | kSetsQkey, false, false},
    {MLX5_CMD_OP_INIT2INIT_QP, 1 << kInit, kInit, 0, false, false},
    {MLX5_CMD_OP_INIT2RTR_QP, 1 << kInit, kRtr, kSetsPath | kSetsRraMax | kSetsRnrTimer, true,
     false},
    {MLX5_CMD_OP_RTR2RTS_QP, 1 << kRtr, kRts,
     kSetsSraMax | kSetsRetryCount | kSetsRnrRetry | kSetsAckTimeout, false, true},
    {MLX5_CMD_OP_RTS2RTS_QP, 1 << kRts, kRts, 0, false, false},
    {MLX5_CMD_OP_SQERR2RTS_QP, 1 << kSqError, kRts, 0, false, false},
    {MLX5_CMD_OP_2ERR_QP, kAnyState, kError, 0, false, false},
    {MLX5_CMD_OP_2RST_QP, kAnyState, kRst, 0, false, false},
};

static void copy_bits(Qp* qp, const uint8_t* context, size_t offset, size_t length) {
    ifc_set(qp->context, offset, length, ifc_get(context, offset, length));
}

#define COPY(field) copy_bits(qp, context, IFC_OFF(qpc, field), IFC_LEN(qpc, field))
#define COPY_IF(bit, field) ((parameters & (bit)) ? COPY(field) : (void)0)

static void apply(Qp* qp, const uint8_t* context, const Transition* transition,
                  uint32_t parameters) {
    const size_t path = IFC_OFF(qpc, primary_address_path);

    // The path as a whole comes before the fields in it that have bits of their own.
    if (parameters & kSetsPath) {
        memcpy(qp->context + path / 8, context + path / 8, kPath);
    }
    COPY_IF(kSetsRre, rre);
    COPY_IF(kSetsRae, rae);
    COPY_IF(kSetsRae, atomic_mode);
    COPY_IF(kSetsRwe, rwe);
    COPY_IF(kSetsPkeyIndex, primary_address_path.pkey_index);
    COPY_IF(kSetsQkey, q_key);
    COPY_IF(kSetsRnrTimer, min_rnr_nak);
    COPY_IF(kSetsSraMax, log_sra_max);
    COPY_IF(kSetsRraMax, log_rra_max);
    COPY_IF(kSetsRetryCount, retry_count);
    COPY_IF(kSetsRnrRetry, rnr_retry);
    COPY_IF(kSetsAckTimeout, primary_address_path.ack_timeout);
    if (transition->remote) {
        COPY(remote_qpn);
        COPY(next_rcv_psn);
        COPY(mtu);
        COPY(log_msg_max);
        qp->remote = QPC(qp, remote_qpn);
    }
    if (transition->psn) {
        COPY(next_send_psn);
    }
}

static const Transition* find_transition(unsigned operation) {
    for (size_t i = 0; i < ARRAY_SIZE(kTransitions); i++) {
        if (kTransitions[i].operation == operation) {
            return &kTransitions[i];
        }
    }
    return NULL;
}

static void reset(Qp* qp) {
    qp->sq_taken = qp->sq_consumer = qp->rq_consumer = 0;
    qp->has_burst = false;
}

Status qp_modify(Connectx* nic, Command* command) {
    // All of these commands have their fields at the same places.
    const uint8_t* context = IFC_AT(rst2init_qp_in, command->in, qpc);
    const uint32_t optional = IFC_GET(rst2init_qp_in, command->in, opt_param_mask);
    const uint32_t ece = IFC_GET(rst2init_qp_in, command->in, ece);
    const Transition* transition = find_transition(command->operation);
    Qp* qp = qp_of_command(nic, command);

    if (!qp) {
        return kBadResource;
    }
    if (!transition || !(transition->from >> qp->state & 1)) {
        log_violation(nic, "QP %#x: operation %#x in state %u", qp->number, command->operation,
                      qp->state);
        return kBadQpState;
    }
    if (transition->to == kRst) {
        reset(qp);
    } else if (transition->to != kError) {
        apply(qp, context, transition, transition->always | optional);
        IFC_SET(rst2init_qp_out, command->out, ece, ece);
    }
    if (!transport_move(nic, qp, transition->to)) {
        log_violation(nic, "QP %#x: operation %#x with an MTU or a number that is none", qp->number,
                      command->operation);
        return kBadParameter;
    }
    log_say(nic, "      QP %#x: state %u, remote %#x", qp->number, qp->state, qp->remote);
    return kOk;
}
