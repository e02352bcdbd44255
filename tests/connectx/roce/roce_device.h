/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/*
 * What a device gives to the transport: its queues, its memory, its port and its clock.
 *
 * Every callback gets `device`, the pointer given to roce_transport_new(), and those about a queue
 * pair `owner`, the pointer given to roce_qp_new().  A callback returns at once, and calls no
 * function of the library but roce_qp_kick().
 */
#ifndef ROCE_DEVICE_H
#define ROCE_DEVICE_H

#include <infiniband/verbs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "roce_address.h"

/* A work request of a send queue, taken from it and not yet completed. */
typedef struct RoceSend {
    /* IBV_WR_SEND, _SEND_WITH_IMM, _SEND_WITH_INV, _RDMA_WRITE, _RDMA_WRITE_WITH_IMM, _RDMA_READ,
     * _ATOMIC_CMP_AND_SWP or _ATOMIC_FETCH_AND_ADD.  Anything else completes as an operation that
     * the service does not have. */
    enum ibv_wr_opcode opcode;
    bool local; /* no packet: run_local() executes it when its turn comes */
    bool fence; /* only after all READs and atomics before it */
    bool solicited;
    uint32_t length; /* bytes of the message; ignored for atomics, which have 8 */
    uint8_t immediate[4];
    uint32_t invalidate_rkey;
    uint64_t remote_address;
    uint32_t rkey;
    uint64_t compare_add, swap;
    uint32_t srq_number; /* XRC */
    /* Datagrams */
    const RoceAddress* address; /* valid until the callback's next call */
    uint32_t remote_qpn, remote_qkey;
    void* request; /* the device's own */
} RoceSend;

/* A receive request, taken from its queue and not yet completed. */
typedef struct RoceReceive {
    uint64_t capacity; /* bytes that it has room for */
    void* request;     /* the device's own */
} RoceReceive;

/* What the completion of a receive request says. */
typedef struct RoceReceived {
    enum ibv_wc_status status;
    enum ibv_wc_opcode opcode; /* IBV_WC_RECV or IBV_WC_RECV_RDMA_WITH_IMM */
    uint32_t length;           /* with the 40 bytes before a datagram */
    bool with_immediate, with_invalidate, solicited;
    uint8_t immediate[4];
    uint32_t invalidated_rkey;
    uint32_t source_qpn; /* datagrams */
    uint16_t pkey;
    const RoceAddress* address; /* datagrams: valid during the call */
} RoceReceived;

/* Memory that a message of the other side names. */
typedef struct RoceTarget {
    uint32_t rkey;
    uint64_t address;
    /* XRC: the shared queue that the message names.  A target queue pair has no protection domain,
     * and the key is to be in that of the shared queue. */
    uint32_t srq_number;
} RoceTarget;

typedef enum RoceTake {
    kRoceTaken,
    kRoceNonePosted,
    kRoceQueueBroken, /* the queue itself cannot be read */
} RoceTake;

typedef struct RoceDeviceOps {
    /* Nanoseconds of a clock that never goes back. */
    uint64_t (*now)(void* device);
    /* Asks for a roce_run() at the time `at`, and no longer for an earlier request of this kind. */
    void (*arm)(void* device, uint64_t at);
    /* Asks for a roce_run() soon, from outside of any function of the library. */
    void (*wake)(void* device);
    /* Whether the carrier takes packets now.  When it does again, the device calls roce_run(). */
    bool (*ready)(void* device);
    /* Sends a packet.  The carrier may lose it. */
    void (*transmit)(void* device, const RoceAddress* address, const uint8_t* packet, size_t size);

    /* Takes the next work request of the send queue.  False: there is none. */
    bool (*next_send)(void* device, void* owner, RoceSend* send);
    /* Copies `size` bytes at `offset` of the message from what the request's local keys name.
     * IBV_WC_SUCCESS, or the status that the request completes with. */
    enum ibv_wc_status (*gather)(void* device, void* owner, const RoceSend* send, uint32_t offset,
                                 uint8_t* data, size_t size);
    /* Copies bytes of a READ's or an atomic's response to where the request wants them.  The 8
     * bytes of an atomic are in the order of this machine. */
    enum ibv_wc_status (*scatter_response)(void* device, void* owner, const RoceSend* send,
                                           uint32_t offset, const uint8_t* data, size_t size);
    /* Executes a request with `local`; returns its status. */
    enum ibv_wc_status (*run_local)(void* device, void* owner, const RoceSend* send);
    /* Ends a request that next_send() gave: each exactly once, in their order. */
    void (*complete_send)(void* device, void* owner, const RoceSend* send,
                          enum ibv_wc_status status, uint32_t length);
    /* The queue pair was reset: the request ends without a completion. */
    void (*drop_send)(void* device, void* owner, const RoceSend* send);

    /* Takes the next receive request of the queue pair, or of its shared queue; of XRC, of the
     * shared queue with this number, which the device finds in the target's domain. */
    RoceTake (*take_receive)(void* device, void* owner, uint32_t srq_number, RoceReceive* receive);
    enum ibv_wc_status (*scatter_receive)(void* device, void* owner, const RoceReceive* receive,
                                          uint32_t offset, const uint8_t* data, size_t size);
    void (*complete_receive)(void* device, void* owner, const RoceReceive* receive,
                             const RoceReceived* received);
    void (*drop_receive)(void* device, void* owner, const RoceReceive* receive);

    /* Whether the key gives the other side `access` (IBV_ACCESS_REMOTE_*) to the whole range, in
     * the queue pair's protection domain. */
    bool (*remote_check)(void* device, void* owner, const RoceTarget* target, uint32_t length,
                         int access);
    /* Part of a checked range.  False when the key has gone meanwhile. */
    bool (*remote_write)(void* device, void* owner, const RoceTarget* target, const uint8_t* data,
                         size_t size);
    bool (*remote_read)(void* device, void* owner, const RoceTarget* target, uint8_t* data,
                        size_t size);
    /* Checks for IBV_ACCESS_REMOTE_ATOMIC, and executes IBV_WR_ATOMIC_CMP_AND_SWP or
     * IBV_WR_ATOMIC_FETCH_AND_ADD on 8 aligned bytes. */
    bool (*remote_atomic)(void* device, void* owner, const RoceTarget* target,
                          enum ibv_wr_opcode opcode, uint64_t compare_add, uint64_t swap,
                          uint64_t* original);
    /* SEND with invalidate.  False when the key may not be invalidated by this queue pair. */
    bool (*remote_invalidate)(void* device, void* owner, uint32_t rkey);

    /* The transport has moved the queue pair to IBV_QPS_ERR or IBV_QPS_SQE.  What it had taken is
     * completed; what is still in the queues, the device flushes. */
    void (*moved)(void* device, void* owner, enum ibv_qp_state state);
    /* IBV_EVENT_COMM_EST, _QP_FATAL, _QP_REQ_ERR, _QP_ACCESS_ERR, _SQ_DRAINED or
     * _QP_LAST_WQE_REACHED. */
    void (*event)(void* device, void* owner, enum ibv_event_type event);
} RoceDeviceOps;

#endif
