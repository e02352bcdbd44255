// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/transport/transport.h"

#include "connectx/log.h"
#include "connectx/objects/eq.h"
#include "connectx/roce/roce_port.h"
#include "connectx/transport/callbacks.h"
#include "connectx/transport/requester.h"
#include "connectx/transport/responder.h"
#include "connectx/transport/wire.h"
#include "qemu/main-loop.h"

enum {
    kGeneralServices = 1,  // its queue pair's number, to others
    kRounds = 8,           // in one go: meanwhile nothing else of QEMU runs
};

static const uint16_t kPkeys[] = {0xffff};

static uint64_t now(void* device) {
    return qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
}

static void arm(void* device, uint64_t at) {
    const Connectx* nic = device;

    timer_mod(nic->transport.later, MIN(at, INT64_MAX));
}

static void wake(void* device) {
    Transport* transport = &((Connectx*)device)->transport;

    if (transport->running) {
        transport->again = true;
    } else {
        qemu_bh_schedule(transport->soon);
    }
}

static bool ready(void* device) {
    return roce_port_ready(((Connectx*)device)->transport.port);
}

static void transmit(void* device, const RoceAddress* address, const uint8_t* packet, size_t size) {
    roce_port_transmit(((Connectx*)device)->transport.port, address, packet, size);
    // It may have stayed here.
    wake(device);
}

// What is still in the queues is over.
static void moved(void* device, void* owner, enum ibv_qp_state state) {
    Connectx* nic = device;
    Qp* qp = owner;

    qp->state = state == IBV_QPS_SQE ? kSqError : kError;
    log_say(nic, "QP %#x: state %u", qp->number, qp->state);
    requester_flush(nic, qp);
    if (qp->state == kError) {
        responder_flush(nic, qp);
    }
}

static void event(void* device, void* owner, enum ibv_event_type type) {
    const Qp* qp = owner;
    Event tells;

    switch (type) {
        case IBV_EVENT_COMM_EST:
            tells = kEventEstablished;
            break;
        case IBV_EVENT_SQ_DRAINED:
            tells = kEventDrained;
            break;
        case IBV_EVENT_QP_LAST_WQE_REACHED:
            tells = kEventLastWqe;
            break;
        case IBV_EVENT_QP_REQ_ERR:
            tells = kEventInvalidRequest;
            break;
        case IBV_EVENT_QP_ACCESS_ERR:
            tells = kEventAccessError;
            break;
        default:
            tells = kEventFatal;
            break;
    }
    eq_post_object(device, tells, qp->number);
}

static const RoceDeviceOps kDeviceOps = {
    .now = now,
    .arm = arm,
    .wake = wake,
    .ready = ready,
    .transmit = transmit,
    .next_send = next_send,
    .gather = gather,
    .scatter_response = scatter_response,
    .run_local = run_local,
    .complete_send = complete_send,
    .drop_send = drop_send,
    .take_receive = take_receive,
    .scatter_receive = scatter_receive,
    .complete_receive = complete_message,
    .drop_receive = drop_receive,
    .remote_check = remote_check,
    .remote_write = remote_write,
    .remote_read = remote_read,
    .remote_atomic = remote_atomic,
    .remote_invalidate = remote_invalidate,
    .moved = moved,
    .event = event,
};

static const RocePortOps kPortOps = {
    .is_here = is_here,
    .frame_ready = wire_ready,
    .send_frame = wire_send,
};

// Moves packets until there are none, for a bounded time.
static void move_packets(Connectx* nic) {
    Transport* transport = &nic->transport;

    transport->running = true;
    for (int round = 0; round < kRounds; round++) {
        bool more;

        transport->again = false;
        more = roce_port_run(transport->port, transport->roce);
        roce_run(transport->roce);
        transport->again |= more;
        if (!transport->again) {
            break;
        }
    }
    transport->running = false;
    if (transport->again) {
        qemu_bh_schedule(transport->soon);
    }
}

static void run(void* opaque) {
    Connectx* nic = opaque;

    nic->busy = true;
    move_packets(nic);
    nic->busy = false;
}

bool transport_receive(Connectx* nic, const uint8_t* frame, size_t size) {
    return wire_receive(nic, frame, size);
}

void transport_resume(Connectx* nic) {
    qemu_bh_schedule(nic->transport.soon);
}

static void make(Connectx* nic) {
    Transport* transport = &nic->transport;

    transport->roce = roce_transport_new(&kDeviceOps, nic, nic->ethernet);
    transport->port = roce_port_new(&kPortOps, nic, nic->ethernet);
    roce_transport_set_pkeys(transport->roce, kPkeys, ARRAY_SIZE(kPkeys));
}

static void unmake(Connectx* nic) {
    Transport* transport = &nic->transport;

    roce_port_free(transport->port);
    roce_transport_free(transport->roce);
    qemu_bh_cancel(transport->soon);
    timer_del(transport->later);
}

void transport_init(Connectx* nic) {
    nic->transport.soon = qemu_bh_new(run, nic);
    nic->transport.later = timer_new_ns(QEMU_CLOCK_VIRTUAL, run, nic);
    wire_init(nic);
    make(nic);
}

void transport_reset(Connectx* nic) {
    unmake(nic);
    make(nic);
}

void transport_free(Connectx* nic) {
    unmake(nic);
    wire_free(nic);
    qemu_bh_delete(nic->transport.soon);
    timer_free(nic->transport.later);
}

static enum ibv_qp_type type_of(const Qp* qp) {
    switch (qp->type) {
        case kUc:
            return IBV_QPT_UC;
        case kXrc:
            return qp->has_sq ? IBV_QPT_XRC_SEND : IBV_QPT_XRC_RECV;
        case kUd:
        case kSmi:
        case kGsi:
            return IBV_QPT_UD;
        default:
            return IBV_QPT_RC;
    }
}

bool transport_add(Connectx* nic, Qp* qp) {
    const uint32_t number = qp->type == kGsi ? kGeneralServices : qp->number;

    if (qp->type == kUmr) {
        return true;
    }
    qp->roce = roce_qp_new(nic->transport.roce, number, type_of(qp), qp);
    return qp->roce != NULL;
}

// Executes what is posted to the driver's queue pair for keys: nothing of it leaves the adapter.
static void run_local_queue(Connectx* nic, Qp* qp) {
    g_autofree Request* request = g_new(Request, 1);

    // What the driver posts meanwhile has a doorbell of its own.
    for (unsigned left = 1u << qp->sq_log; left > 0 && requester_take(nic, qp, request); left--) {
        const bool good =
            !request->refused &&
            (request->opcode == kNop ||
             (request->opcode == kChangeKey && request_change_key(nic, qp, request) == kSuccess));

        requester_complete(nic, qp, request, good ? kSuccess : kLocalOperation, 0);
        if (!good) {
            moved(nic, qp, IBV_QPS_ERR);
            return;
        }
    }
}

static enum ibv_qp_state state_of(QpState state) {
    switch (state) {
        case kRst:
            return IBV_QPS_RESET;
        case kInit:
            return IBV_QPS_INIT;
        case kRtr:
            return IBV_QPS_RTR;
        case kRts:
            return IBV_QPS_RTS;
        default:
            return IBV_QPS_ERR;
    }
}

bool transport_move(Connectx* nic, Qp* qp, QpState state) {
    if (!qp->roce) {
        qp->state = state;
        if (state == kRts) {
            run_local_queue(nic, qp);
        } else if (state == kError) {
            moved(nic, qp, IBV_QPS_ERR);
        }
        return true;
    }
    if (state != kRst && state != kError) {
        attributes_of(nic, qp, roce_qp_attributes(qp->roce));
    }
    if (!roce_qp_set_state(qp->roce, state_of(state))) {
        return false;
    }
    qp->state = state;
    return true;
}

bool transport_change_group(const Qp* qp, const uint8_t* gid, bool joins) {
    if (!qp->roce || !qp_is_datagram(qp)) {
        return false;
    }
    return joins ? roce_multicast_attach(qp->roce, gid) : roce_multicast_detach(qp->roce, gid);
}

void transport_ring(Connectx* nic, Qp* qp) {
    if (qp->state == kError || qp->state == kSqError) {
        requester_flush(nic, qp);
    } else if (qp->roce) {
        // At once: a program that polls finds its completion soon after, as with an adapter that
        // does not share a processor with it.
        nic->transport.running = true;
        roce_qp_kick(qp->roce);
        move_packets(nic);
    } else if (qp->state == kRts) {
        run_local_queue(nic, qp);
    }
}

void transport_query(const Qp* qp, uint8_t* context) {
    if (qp->roce && qp->state >= kRtr) {
        IFC_SET(qpc, context, next_rcv_psn, roce_qp_receive_psn(qp->roce));
    }
    if (qp->roce && qp->state >= kRts) {
        IFC_SET(qpc, context, next_send_psn, roce_qp_send_psn(qp->roce));
    }
}

void transport_log_counters(Connectx* nic) {
    const RoceCounters* c = roce_transport_counters(nic->transport.roce);

    log_say(nic,
            "      packets: %" PRIu64 " sent, %" PRIu64 " received, %" PRIu64 " malformed, %" PRIu64
            " for no queue pair, %" PRIu64 " with another key or address, %" PRIu64
            " twice, %" PRIu64 " out of sequence, %" PRIu64 " without a receive request, %" PRIu64
            " timeouts",
            c->sent, c->received, c->malformed, c->no_queue_pair,
            c->bad_pkey + c->bad_qkey + c->wrong_address, c->duplicates, c->out_of_sequence,
            c->not_ready, c->timeouts);
}

Status transport_query_counters(Connectx* nic, Command* command) {
    const RoceCounters* c = roce_transport_counters(nic->transport.roce);

#define COUNT(field, value) IFC_SET(query_q_counter_out, command->out, field, value)
    COUNT(rx_write_requests, c->writes);
    COUNT(rx_read_requests, c->reads);
    COUNT(rx_atomic_requests, c->atomics);
    COUNT(out_of_buffer, c->not_ready);
    COUNT(out_of_sequence, c->out_of_sequence);
    COUNT(duplicate_request, c->duplicates);
    COUNT(rnr_nak_retry_err, c->rnr_exceeded);
    COUNT(packet_seq_err, c->sequence_naks);
    COUNT(implied_nak_seq_err, c->implied_naks);
    COUNT(local_ack_timeout_err, c->timeouts);
#undef COUNT
    return kOk;
}
