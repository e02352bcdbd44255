/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/*
 * The transport of a port: queue pairs that send and receive packets.
 *
 * The library has no thread, no clock and no lock: the device calls it from one thread at a time,
 * and passes packets and time in.  Work per call is bounded; what is left asks for another call by
 * wake().
 */
#ifndef ROCE_TRANSPORT_H
#define ROCE_TRANSPORT_H

#include "roce_device.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct RoceTransport RoceTransport;
typedef struct RoceQp RoceQp;

enum {
    kRoceMaxReads = 16, /* outstanding READs and atomics of a queue pair, in either direction */
    kRoceMulticastQpn = 0xffffff,
    kRoceMaxPkeys = 128,
};

/* What a queue pair is told as its state changes (IBA 10.2.4). */
typedef struct RoceQpAttributes {
    int access; /* IBV_ACCESS_REMOTE_* that the other side may have */
    uint16_t pkey;
    uint32_t qkey;    /* datagrams */
    uint32_t mtu;     /* bytes of a packet's payload: 256 to 4096 */
    RoceAddress path; /* connected services: to the other side */
    uint32_t remote_qpn;
    uint32_t receive_psn, send_psn;
    uint8_t max_reads;        /* that this side has outstanding */
    uint8_t max_reads_served; /* that the other side may have outstanding */
    uint8_t min_rnr_timer;    /* 0 to 31, IBA table 45 */
    uint8_t timeout;          /* 0 to 31: 4.096 us * 2^timeout, 0 for ever */
    uint8_t retry_count;      /* 0 to 7 */
    uint8_t rnr_retry;        /* 0 to 7, 7 for ever */
    uint32_t source_qpn;      /* the number in a datagram's header; 0: the queue pair's own */
    bool shared_receive;      /* its receive requests come from a shared queue */
} RoceQpAttributes;

/* Counts since the transport was made. */
typedef struct RoceCounters {
    uint64_t received, sent, malformed, no_queue_pair, bad_pkey, bad_qkey, wrong_address;
    uint64_t duplicates, out_of_sequence, not_ready, retries, timeouts, rnr_waits, dropped;
    uint64_t writes, reads, atomics;                    /* requests that were executed for others */
    uint64_t sequence_naks, implied_naks, rnr_exceeded; /* of others, for requests of ours */
} RoceCounters;

RoceTransport* roce_transport_new(const RoceDeviceOps* ops, void* device, bool ethernet);
/* Every queue pair is dropped as by roce_qp_free(). */
void roce_transport_free(RoceTransport* transport);

/* The port's table of partition keys: queue pair 1 takes packets of any of them (IBA 9.6.1.4). */
void roce_transport_set_pkeys(RoceTransport* transport, const uint16_t* pkeys, size_t count);

const RoceCounters* roce_transport_counters(const RoceTransport* transport);

/* A packet without its carrier's headers came. */
void roce_receive(RoceTransport* transport, const RoceAddress* address, const uint8_t* packet,
                  size_t size);

/* Sends what is to be sent, and lets timers expire. */
void roce_run(RoceTransport* transport);

/*
 * A queue pair of IBV_QPT_RC, _UC, _UD (number 1 as well), _XRC_SEND or _XRC_RECV, which is in
 * IBV_QPS_RESET.  NULL when the transport has one with this number.
 */
RoceQp* roce_qp_new(RoceTransport* transport, uint32_t qpn, enum ibv_qp_type type, void* owner);
/* What is outstanding is dropped. */
void roce_qp_free(RoceQp* qp);

/* The attributes as the last change has left them, to be changed before roce_qp_set_state(). */
RoceQpAttributes* roce_qp_attributes(RoceQp* qp);

/*
 * Moves the queue pair; the device has checked that the transition is one.  IBV_QPS_RTR begins to
 * receive from `receive_psn`, IBV_QPS_RTS from IBV_QPS_RTR to send from `send_psn`; IBV_QPS_ERR
 * completes what was taken, and calls moved().  False when the attributes make no sense: an MTU
 * that is none, numbers out of range.
 */
bool roce_qp_set_state(RoceQp* qp, enum ibv_qp_state state);
enum ibv_qp_state roce_qp_state(const RoceQp* qp);

/* What a query shows: the next PSN to be sent, and to be received. */
uint32_t roce_qp_send_psn(const RoceQp* qp);
uint32_t roce_qp_receive_psn(const RoceQp* qp);

/* Its send queue has got requests. */
void roce_qp_kick(RoceQp* qp);

/* Datagrams to the group `gid` reach the queue pair too.  False: it is there already (attach), or
 * it is not (detach). */
bool roce_multicast_attach(RoceQp* qp, const uint8_t gid[kRoceGidBytes]);
bool roce_multicast_detach(RoceQp* qp, const uint8_t gid[kRoceGidBytes]);

#ifdef __cplusplus
}
#endif

#endif
