// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Two connected queue pairs of one device, and messages from the first to the second.
#ifndef VRDMA_BENCH_LOOPBACK_H
#define VRDMA_BENCH_LOOPBACK_H

#include <infiniband/verbs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "endpoint.h"

enum Operation { kWrite, kWriteImmediate, kSend, kRead, kFetchAdd, kOperations };

// How the program waits for a completion.
enum Waiting {
    kWaitYield,  // polls, and lets others run after a poll that found nothing
    kWaitPoll,   // polls
    kWaitEvent,  // sleeps until the completion channel has an event
    kWaitings,
};

struct LoopbackOptions {
    enum ibv_qp_type transport;
    enum Waiting waiting;
    size_t bytes;         // of the largest message
    uint32_t inline_max;  // messages up to this many bytes are sent inline
};

struct Loopback {
    const struct RdmaDevice* device;
    struct LoopbackOptions options;
    struct ibv_pd* pd;
    struct ibv_comp_channel* channel;
    struct ibv_cq* cq;  // of both queue pairs
    struct ibv_qp* near;
    struct ibv_qp* far;
    struct ibv_ah* ah;  // from near to far, of datagrams
    unsigned char* near_buffer;
    unsigned char* far_buffer;  // with room for a datagram's route header first
    struct ibv_mr* near_mr;
    struct ibv_mr* far_mr;
};

// Whether the transport has the operation.
bool has_operation(enum ibv_qp_type transport, enum Operation operation);

struct Loopback make_loopback(const struct RdmaDevice* device,
                              const struct LoopbackOptions* options);
void free_loopback(struct Loopback* loopback);

// Moves one message and returns the time from before it was posted to when the program had
// all its completions: the receiver's too where the receiver gets one.  The data are made
// before and checked after that time; `round` makes them differ from the last ones.
uint64_t time_message(struct Loopback* loopback, enum Operation operation, size_t bytes,
                      uint64_t round);

#endif
