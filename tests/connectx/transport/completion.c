// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/transport/completion.h"

#include "connectx/objects/cq.h"

// Places in struct mlx5_cqe64 of <linux/mlx5/device.h>.
enum {
    kLid = 22,
    kFlagsAndSource = 24,
    kUserIndex = 32,
    kImmediate = 36,
    kBytes = 44,
    kTimestamp = 48,
    kVendorSyndrome = 54,
    kSyndrome = 55,
    kOpcodeAndQp = 56,
    kCounter = 60,
};

static void begin(const Qp* qp, uint8_t* cqe, unsigned opcode, uint16_t index) {
    memset(cqe, 0, kCqe);
    stl_be_p(cqe + kUserIndex, QPC(qp, user_index));
    stw_be_p(cqe + kCounter, index);
    cqe[kCqeLast] = opcode << 4;
}

static void stamp(uint8_t* cqe) {
    stq_be_p(cqe + kTimestamp, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL));
}

void complete_request(Connectx* nic, const Qp* qp, uint16_t index, uint8_t opcode, uint32_t bytes) {
    uint8_t cqe[kCqe];

    begin(qp, cqe, kCqeRequest, index);
    stamp(cqe);
    stl_be_p(cqe + kBytes, bytes);
    stl_be_p(cqe + kOpcodeAndQp, (uint32_t)opcode << 24 | qp->number);
    cq_post(nic, QPC(qp, cqn_snd), cqe);
}

void complete_receive(Connectx* nic, const Qp* qp, uint16_t index, uint32_t bytes,
                      const Arrival* arrival) {
    uint8_t cqe[kCqe];

    begin(qp, cqe, arrival->opcode, index);
    stamp(cqe);
    stw_be_p(cqe + kLid, arrival->lid);
    stl_be_p(cqe + kFlagsAndSource, arrival->source);
    if (arrival->immediate) {
        memcpy(cqe + kImmediate, arrival->immediate, 4);
    } else if (arrival->with_pkey) {
        stl_be_p(cqe + kImmediate, arrival->pkey);
    }
    stl_be_p(cqe + kBytes, bytes);
    stl_be_p(cqe + kOpcodeAndQp, qp->number);
    if (arrival->solicited) {
        cqe[kCqeLast] |= kCqeSolicited;
    }
    cq_post(nic, QPC(qp, cqn_rcv), cqe);
}

void complete_error(Connectx* nic, const Qp* qp, bool requester, uint16_t index, uint8_t opcode,
                    Syndrome syndrome) {
    uint8_t cqe[kCqe];

    begin(qp, cqe, requester ? kCqeRequesterError : kCqeResponderError, index);
    cqe[kVendorSyndrome] = 0;
    cqe[kSyndrome] = syndrome;
    stl_be_p(cqe + kOpcodeAndQp, (uint32_t)opcode << 24 | qp->number);
    cq_post(nic, requester ? QPC(qp, cqn_snd) : QPC(qp, cqn_rcv), cqe);
}

void complete_frame(Connectx* nic, const Qp* qp, uint16_t index, uint8_t opcode) {
    uint8_t cqe[kCqe] = {0};

    stamp(cqe);
    stl_be_p(cqe + kOpcodeAndQp, (uint32_t)opcode << 24 | qp->number);
    stw_be_p(cqe + kCounter, index);
    cqe[kCqeLast] = kCqeRequest << 4;
    cq_post(nic, qp->frames_cq, cqe);
}
