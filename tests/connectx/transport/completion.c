// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/transport/completion.h"

#include "connectx/objects/cq.h"

// Places in struct mlx5_cqe64 of <linux/mlx5/device.h>.
enum {
    kLid = 22,
    kFlagsAndSource = 24,
    kSum = 20,
    kJudgement = 28,
    kNetworkRight = 1 << 1,
    kTransportRight = 1 << 2,
    kHeaderTypes = 29,  // its lowest bit: there is a tag
    kNetworkShift = 2,
    kIpv6 = 1,
    kIpv4 = 2,
    kTransportShift = 4,
    kVlan = 30,
    kUserIndex = 32,
    kImmediate = 36,
    kBytes = 44,
    kTimestamp = 48,
    kVendorSyndrome = 54,
    kSyndrome = 55,
    kOpcodeAndQp = 56,
    kCounter = 60,
};

static void begin(uint8_t* cqe, unsigned opcode, const Slot* slot) {
    memset(cqe, 0, kCqe);
    stl_be_p(cqe + kUserIndex, slot->user_index);
    stw_be_p(cqe + kCounter, slot->index);
    cqe[kCqeLast] = opcode << 4;
}

static void stamp(uint8_t* cqe) {
    stq_be_p(cqe + kTimestamp, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL));
}

static Slot slot_of_request(const Qp* qp, uint16_t index) {
    return (Slot){QPC(qp, cqn_snd), QPC(qp, user_index), index};
}

Slot slot_of(const Qp* qp, uint16_t index) {
    return (Slot){QPC(qp, cqn_rcv), QPC(qp, user_index), index};
}

void complete_request(Connectx* nic, const Qp* qp, uint16_t index, uint8_t opcode, uint32_t bytes) {
    const Slot slot = slot_of_request(qp, index);
    uint8_t cqe[kCqe];

    begin(cqe, kCqeRequest, &slot);
    stamp(cqe);
    stl_be_p(cqe + kBytes, bytes);
    stl_be_p(cqe + kOpcodeAndQp, (uint32_t)opcode << 24 | qp->number);
    cq_post(nic, slot.cq, cqe);
}

void complete_receive(Connectx* nic, const Qp* qp, const Slot* slot, uint32_t bytes,
                      const Arrival* arrival) {
    uint8_t cqe[kCqe];

    begin(cqe, arrival->opcode, slot);
    stamp(cqe);
    stw_be_p(cqe + kLid, arrival->lid);
    stl_be_p(cqe + kFlagsAndSource, arrival->source);
    if (arrival->tagged) {
        cqe[kHeaderTypes] = 1;
        stw_be_p(cqe + kVlan, arrival->vlan);
    }
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
    cq_post(nic, slot->cq, cqe);
}

static void fail(Connectx* nic, const Qp* qp, unsigned kind, const Slot* slot, uint8_t opcode,
                 Syndrome syndrome) {
    uint8_t cqe[kCqe];

    begin(cqe, kind, slot);
    cqe[kVendorSyndrome] = 0;
    cqe[kSyndrome] = syndrome;
    stl_be_p(cqe + kOpcodeAndQp, (uint32_t)opcode << 24 | qp->number);
    cq_post(nic, slot->cq, cqe);
}

void complete_error(Connectx* nic, const Qp* qp, uint16_t index, uint8_t opcode,
                    Syndrome syndrome) {
    const Slot slot = slot_of_request(qp, index);

    fail(nic, qp, kCqeRequesterError, &slot, opcode, syndrome);
}

void complete_receive_error(Connectx* nic, const Qp* qp, const Slot* slot, Syndrome syndrome) {
    fail(nic, qp, kCqeResponderError, slot, 0, syndrome);
}

void complete_frame(Connectx* nic, const Qp* qp, uint16_t index, uint8_t opcode) {
    uint8_t cqe[kCqe] = {0};

    stamp(cqe);
    stl_be_p(cqe + kOpcodeAndQp, (uint32_t)opcode << 24 | qp->number);
    stw_be_p(cqe + kCounter, index);
    cqe[kCqeLast] = kCqeRequest << 4;
    cq_post(nic, qp->frames_cq, cqe);
}

void complete_arrival(Connectx* nic, const Slot* slot, const FrameArrival* arrival) {
    uint8_t cqe[kCqe];

    begin(cqe, kCqeSend, slot);
    stamp(cqe);
    stl_be_p(cqe + kBytes, arrival->bytes);
    stw_be_p(cqe + kSum, arrival->sum);
    if (arrival->tagged) {
        cqe[kHeaderTypes] |= 1;
        stw_be_p(cqe + kVlan, arrival->tag);
    }
    if (arrival->version) {
        cqe[kHeaderTypes] |= (arrival->version == 4 ? kIpv4 : kIpv6) << kNetworkShift |
                             arrival->transport << kTransportShift;
    }
    cqe[kJudgement] = (arrival->network_is_right ? kNetworkRight : 0) |
                      (arrival->transport_is_right ? kTransportRight : 0);
    cq_post(nic, slot->cq, cqe);
}
