/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/* A queue pair as the library's own files see it. */
#ifndef ROCE_QUEUE_PAIR_H
#define ROCE_QUEUE_PAIR_H

#include <glib.h>

#include "packet.h"
#include "roce_transport.h"

enum {
    kRoceSends = 64,    /* requests taken from a send queue and not completed */
    kRoceWindow = 256,  /* packets sent and not acknowledged */
    kRoceAckEvery = 32, /* packets of a long message */
    kRoceTurn = 16,     /* packets that a queue pair sends before others have their turn */
    kRoceRun = 128,     /* packets that a call of roce_run() sends */
};

#define ROCE_NEVER UINT64_MAX

typedef struct RoceRequest {
    RoceSend send;
    uint32_t first_psn;
    uint32_t packets;          /* of the request, of a READ's response; 0 for a local one */
    bool executed;             /* a local one */
    enum ibv_wc_status failed; /* why it cannot be sent; it fails once it is the oldest */
} RoceRequest;

/* The side of a queue pair that sends requests (IBA 9.7.5.1, 9.7.6). */
typedef struct RoceRequester {
    RoceRequest ring[kRoceSends];
    unsigned head, count;
    unsigned cursor;               /* requests from the head on that are sent whole */
    uint32_t cursor_packet;        /* packets of the next one that are sent */
    uint32_t psn;                  /* of the next request that is taken */
    uint32_t unacked;              /* the oldest PSN without an answer */
    uint32_t sent;                 /* the PSN after the last that was ever sent or asked for */
    unsigned reads;                /* READs and atomics that are out */
    unsigned retries, rnr_retries; /* that are left */
    bool waits_rnr;                /* until the deadline */
    bool went_back;                /* nothing has been answered since */
    bool drained;                  /* its event was given */
    uint64_t deadline;
} RoceRequester;

/* The memory that the first packet of a message names. */
static inline RoceTarget roce_target_of(const RocePacket* packet) {
    return (RoceTarget){
        .rkey = packet->rkey,
        .address = packet->remote_address,
        .srq_number = packet->srq_number,
    };
}

/* A READ or an atomic that was executed: it is executed, or answered, again for a duplicate. */
typedef struct RoceAnswer {
    uint32_t first_psn, packets;
    uint32_t begin;     /* the first packet that was asked for last */
    uint32_t next, end; /* packets that are still to be sent */
    bool answered;      /* once, whole */
    RoceTarget target;
    uint32_t length, msn;
    /* Atomics */
    bool atomic, executed;
    enum ibv_wr_opcode operation;
    uint64_t compare_add, swap, original;
} RoceAnswer;

/* What message packets are expected to continue. */
typedef enum RoceMessage { kRoceBetween, kRoceInSend, kRoceInWrite } RoceMessage;

/* The side of a queue pair that answers requests (IBA 9.7.4, 9.7.5.2). */
typedef struct RoceResponder {
    uint32_t psn; /* expected */
    uint32_t msn;
    RoceMessage message;
    bool taken; /* `receive` is one that is not completed */
    RoceReceive receive;
    uint32_t done;     /* bytes of the message */
    RoceTarget target; /* WRITE: of the next byte */
    uint32_t left, length;
    RoceAnswer answers[kRoceMaxReads];
    unsigned oldest, answers_count;
    bool ack_due;
    uint8_t syndrome;
    uint32_t ack_psn;
    bool refused; /* a NAK is out: later packets are lost in silence (IBA 9.7.5.2.8) */
    bool closing; /* IBV_QPS_ERR once the NAK is sent */
    bool established;
} RoceResponder;

struct RoceQp {
    RoceTransport* transport;
    uint32_t qpn;
    enum ibv_qp_type type;
    void* owner;
    enum ibv_qp_state state;
    RoceQpAttributes attributes;
    bool queued; /* for its turn */
    GList link;
    RoceRequester requester;
    RoceResponder responder;
};

struct RoceTransport {
    const RoceDeviceOps* ops;
    void* device;
    bool ethernet;
    GHashTable* qps; /* by number */
    GQueue turns;
    GPtrArray* memberships; /* of groups */
    uint64_t armed;
    uint16_t pkeys[kRoceMaxPkeys];
    size_t pkey_count;
    RoceCounters counters;
    uint8_t packet[kRoceMaxPacket];
};

static inline bool roce_is_datagram(const RoceQp* qp) {
    return qp->type == IBV_QPT_UD;
}

static inline bool roce_is_reliable(const RoceQp* qp) {
    return qp->type != IBV_QPT_UD && qp->type != IBV_QPT_UC;
}

/* The service bits of its opcodes. */
uint8_t roce_qp_service(const RoceQp* qp);

/* transport.c */
void roce_qp_schedule(RoceQp* qp);
void roce_qp_set_deadline(RoceQp* qp, uint64_t at);
void roce_qp_event(RoceQp* qp, enum ibv_event_type event);
/* Completes what was taken, and moves to IBV_QPS_ERR. */
void roce_qp_error(RoceQp* qp);
/* Whether a packet's partition key is the queue pair's (IBA 10.9.3). */
bool roce_pkey_matches(uint16_t left, uint16_t right);
/* Whether the carrier takes a packet now. */
bool roce_ready(const RoceTransport* transport);
/* Finishes the packet, whose payload is in its place in `transport->packet`, and sends it. */
void roce_send(RoceTransport* transport, const RoceAddress* address, RocePacket* packet);
/* Sends a packet to the other side of a connected queue pair; fills in what each one has. */
void roce_send_connected(RoceQp* qp, RocePacket* packet);

/* requester.c: sends up to `budget` packets; returns how many are left of it. */
void roce_requester_start(RoceQp* qp);
unsigned roce_requester_run(RoceQp* qp, unsigned budget);
/* The deadline has passed. */
void roce_requester_expire(RoceQp* qp);
/* Completes all requests that were taken: flushed, or (`drop`) without completion. */
void roce_requester_flush(RoceQp* qp, bool drop);
/* Sends again from the oldest packet without an answer. */
void roce_requester_go_back(RoceQp* qp);
/* Completes the oldest request with an error, and moves the queue pair to its error state. */
void roce_requester_fail(RoceQp* qp, enum ibv_wc_status status);
/* Completes the oldest requests as long as they are done. */
void roce_requester_settle(RoceQp* qp);
/* Ends the oldest request. */
void roce_requester_pop(RoceQp* qp, enum ibv_wc_status status, uint32_t length);
RoceRequest* roce_requester_at(RoceRequester* requester, unsigned index);
/* Whether the request is answered by more than an acknowledgement. */
bool roce_wants_response(const RoceRequest* request);

/* acknowledge.c: the requester's side of a response. */
void roce_requester_receive(RoceQp* qp, const RocePacket* packet);

/* responder.c */
void roce_responder_start(RoceQp* qp);
void roce_responder_receive(RoceQp* qp, const RocePacket* packet);
void roce_responder_flush(RoceQp* qp, bool drop);
/* Ends the message in an error: a NAK of the expected packet, then IBV_QPS_ERR. */
void roce_responder_refuse(RoceQp* qp, uint8_t nak, enum ibv_wc_status status,
                           enum ibv_event_type event);
void roce_responder_acknowledge(RoceQp* qp, uint32_t psn, uint8_t syndrome);

/* answers.c: READs and atomics of the other side. */
typedef enum RoceVerdict { kRoceGood, kRoceRefused } RoceVerdict;
RoceVerdict roce_answer_new(RoceQp* qp, const RocePacket* packet);
void roce_answer_again(RoceQp* qp, const RocePacket* packet);
unsigned roce_answers_run(RoceQp* qp, unsigned budget);
bool roce_answers_pending(const RoceQp* qp);

/* datagram.c */
unsigned roce_datagram_run(RoceQp* qp, unsigned budget);
void roce_datagram_receive(RoceQp* qp, const RoceAddress* address, const RocePacket* packet);

/* multicast.c */
void roce_multicast_deliver(RoceTransport* transport, const RoceAddress* address,
                            const RocePacket* packet);
void roce_multicast_leave_all(RoceQp* qp);

#endif
