// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "loopback.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tool.h"

enum {
    kRouteHeader = 40,  // before a received datagram (IBTA 11.4.1.2)
    kQueueDepth = 16,
    kNearId = 1,
    kFarId = 2,
    kPollsPerClock = 1024,
    kPatienceSeconds = 30,
};

bool has_operation(enum ibv_qp_type transport, enum Operation operation) {
    switch (transport) {
        case IBV_QPT_RC:
            return true;
        case IBV_QPT_UC:
            // Nobody reports a plain WRITE that an unreliable connection loses.
            return operation == kSend || operation == kWriteImmediate;
        default:
            return operation == kSend;
    }
}

static unsigned char* make_buffer(size_t bytes) {
    void* buffer = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (buffer == MAP_FAILED) fail_errno("cannot map a buffer of %zu bytes", bytes);
    memset(buffer, 0, bytes);
    return buffer;
}

static struct ibv_mr* register_buffer(struct ibv_pd* pd, void* buffer, size_t bytes) {
    const int access = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_WRITE |
                       IBV_ACCESS_REMOTE_ATOMIC;
    struct ibv_mr* mr = ibv_reg_mr(pd, buffer, bytes, access);
    if (mr == NULL) fail_errno("cannot register %zu bytes", bytes);
    return mr;
}

static struct ibv_qp* make_queue_pair(const struct Loopback* loopback) {
    struct ibv_qp_init_attr attributes = {
        .send_cq = loopback->cq,
        .recv_cq = loopback->cq,
        .cap = {.max_send_wr = kQueueDepth,
                .max_recv_wr = kQueueDepth,
                .max_send_sge = 1,
                .max_recv_sge = 1,
                .max_inline_data = loopback->options.inline_max},
        .qp_type = loopback->options.transport,
    };
    struct ibv_qp* qp = ibv_create_qp(loopback->pd, &attributes);
    if (qp == NULL) fail_errno("cannot create a queue pair");
    return qp;
}

static size_t buffer_bytes(const struct Loopback* loopback) {
    return kRouteHeader + loopback->options.bytes;
}

static void connect_both(struct Loopback* loopback) {
    errno = connect_queue_pair(loopback->device, loopback->near, loopback->far->qp_num);
    if (errno == 0) {
        errno = connect_queue_pair(loopback->device, loopback->far, loopback->near->qp_num);
    }
    if (errno != 0) fail_errno("cannot connect the queue pairs");
    if (loopback->options.transport != IBV_QPT_UD) return;
    struct ibv_ah_attr attributes = loopback_ah(loopback->device);
    loopback->ah = ibv_create_ah(loopback->pd, &attributes);
    if (loopback->ah == NULL) fail_errno("cannot create an address handle");
}

struct Loopback make_loopback(const struct RdmaDevice* device,
                              const struct LoopbackOptions* options) {
    struct Loopback loopback = {.device = device, .options = *options};
    loopback.pd = ibv_alloc_pd(device->context);
    if (loopback.pd == NULL) fail_errno("cannot allocate a protection domain");
    if (options->waiting == kWaitEvent) {
        loopback.channel = ibv_create_comp_channel(device->context);
        if (loopback.channel == NULL) fail_errno("cannot create a completion channel");
    }
    loopback.cq = ibv_create_cq(device->context, 4 * kQueueDepth, NULL, loopback.channel, 0);
    if (loopback.cq == NULL) fail_errno("cannot create a completion queue");
    loopback.near_buffer = make_buffer(buffer_bytes(&loopback));
    loopback.far_buffer = make_buffer(buffer_bytes(&loopback));
    loopback.near_mr = register_buffer(loopback.pd, loopback.near_buffer, buffer_bytes(&loopback));
    loopback.far_mr = register_buffer(loopback.pd, loopback.far_buffer, buffer_bytes(&loopback));
    loopback.near = make_queue_pair(&loopback);
    loopback.far = make_queue_pair(&loopback);
    connect_both(&loopback);
    return loopback;
}

static void check_freed(int error, const char* what) {
    errno = error;
    if (error != 0) fail_errno("cannot free %s", what);
}

void free_loopback(struct Loopback* loopback) {
    if (loopback->ah != NULL) check_freed(ibv_destroy_ah(loopback->ah), "an address handle");
    check_freed(ibv_destroy_qp(loopback->near), "a queue pair");
    check_freed(ibv_destroy_qp(loopback->far), "a queue pair");
    check_freed(ibv_dereg_mr(loopback->near_mr), "a memory region");
    check_freed(ibv_dereg_mr(loopback->far_mr), "a memory region");
    munmap(loopback->near_buffer, buffer_bytes(loopback));
    munmap(loopback->far_buffer, buffer_bytes(loopback));
    check_freed(ibv_destroy_cq(loopback->cq), "a completion queue");
    if (loopback->channel != NULL) {
        check_freed(ibv_destroy_comp_channel(loopback->channel), "a completion channel");
    }
    check_freed(ibv_dealloc_pd(loopback->pd), "a protection domain");
    *loopback = (struct Loopback){0};
}

// Returns the offset of the far side's data: a datagram's route header (GRH) comes before them.
static size_t far_offset(const struct Loopback* loopback) {
    return loopback->options.transport == IBV_QPT_UD ? kRouteHeader : 0;
}

static bool is_received(enum Operation operation) {
    return operation == kSend || operation == kWriteImmediate;
}

static void post_receive(struct Loopback* loopback) {
    struct ibv_sge sge = {.addr = (uintptr_t)loopback->far_buffer,
                          .length = (uint32_t)buffer_bytes(loopback),
                          .lkey = loopback->far_mr->lkey};
    struct ibv_recv_wr wr = {.wr_id = kFarId, .sg_list = &sge, .num_sge = 1};
    struct ibv_recv_wr* bad;
    errno = ibv_post_recv(loopback->far, &wr, &bad);
    if (errno != 0) fail_errno("cannot post a receive request");
}

static struct ibv_send_wr send_request(const struct Loopback* loopback, enum Operation operation,
                                       struct ibv_sge* sge) {
    static const enum ibv_wr_opcode kOpcodes[kOperations] = {
        [kWrite] = IBV_WR_RDMA_WRITE,
        [kWriteImmediate] = IBV_WR_RDMA_WRITE_WITH_IMM,
        [kSend] = IBV_WR_SEND,
        [kRead] = IBV_WR_RDMA_READ,
        [kFetchAdd] = IBV_WR_ATOMIC_FETCH_AND_ADD,
    };
    const bool gives = operation != kRead && operation != kFetchAdd;
    struct ibv_send_wr wr = {
        .wr_id = kNearId,
        .sg_list = sge,
        .num_sge = 1,
        .opcode = kOpcodes[operation],
        .send_flags = IBV_SEND_SIGNALED,
    };
    if (gives && sge->length <= loopback->options.inline_max) wr.send_flags |= IBV_SEND_INLINE;
    if (operation == kFetchAdd) {
        wr.wr.atomic.remote_addr = (uintptr_t)loopback->far_buffer;
        wr.wr.atomic.rkey = loopback->far_mr->rkey;
        wr.wr.atomic.compare_add = 1;
    } else if (loopback->options.transport == IBV_QPT_UD) {
        wr.wr.ud.ah = loopback->ah;
        wr.wr.ud.remote_qpn = loopback->far->qp_num;
        wr.wr.ud.remote_qkey = kUdQkey;
    } else {
        wr.wr.rdma.remote_addr = (uintptr_t)loopback->far_buffer;
        wr.wr.rdma.rkey = loopback->far_mr->rkey;
    }
    return wr;
}

// Sleeps until the completion channel has an event, and arms the queue for the next one.
static void wait_event(struct Loopback* loopback) {
    struct pollfd ready = {.fd = loopback->channel->fd, .events = POLLIN};
    const int count = poll(&ready, 1, kPatienceSeconds * 1000);
    if (count < 0) fail_errno("cannot wait for the completion channel");
    if (count == 0) fail("no completion event in %d s", kPatienceSeconds);
    struct ibv_cq* cq;
    void* context;
    if (ibv_get_cq_event(loopback->channel, &cq, &context) != 0) {
        fail_errno("cannot take a completion event");
    }
    ibv_ack_cq_events(cq, 1);
    errno = ibv_req_notify_cq(loopback->cq, 0);
    if (errno != 0) fail_errno("cannot arm the completion queue");
}

static void pause_for(struct Loopback* loopback) {
    if (loopback->options.waiting == kWaitEvent) {
        wait_event(loopback);
    } else if (loopback->options.waiting == kWaitYield) {
        sched_yield();
    }
}

static bool take_completion(struct Loopback* loopback) {
    struct ibv_wc wc;
    const int count = ibv_poll_cq(loopback->cq, 1, &wc);
    if (count < 0) fail("cannot poll the completion queue");
    if (count == 1 && wc.status != IBV_WC_SUCCESS) {
        fail("the %s ended with: %s (vendor error %u)",
             wc.wr_id == kNearId ? "message" : "receive request", ibv_wc_status_str(wc.status),
             wc.vendor_err);
    }
    return count == 1;
}

static void wait_completions(struct Loopback* loopback, unsigned wanted, uint64_t start) {
    // A program that waits for events sleeps at once: a look at the queue before would be polling.
    if (loopback->options.waiting == kWaitEvent) wait_event(loopback);
    for (unsigned polls = 1; wanted > 0; ++polls) {
        if (take_completion(loopback)) {
            --wanted;
            continue;
        }
        pause_for(loopback);
        if (polls % kPollsPerClock == 0 &&
            now_ns() - start > kPatienceSeconds * UINT64_C(1000000000)) {
            fail("no completion in %d s", kPatienceSeconds);
        }
    }
}

// Writes data that differ from place to place and from round to round.
static void fill(unsigned char* data, size_t bytes, uint64_t round) {
    uint64_t word = round * UINT64_C(0x9e3779b97f4a7c15) + 1;
    size_t at = 0;
    for (; at + sizeof word <= bytes; at += sizeof word) {
        memcpy(data + at, &word, sizeof word);
        word += UINT64_C(0x0101010101010101);
    }
    memcpy(data + at, &word, bytes - at);
}

static void prepare(struct Loopback* loopback, enum Operation operation, size_t bytes,
                    uint64_t round) {
    unsigned char* far = loopback->far_buffer + far_offset(loopback);
    if (operation == kRead || operation == kFetchAdd) {
        fill(far, bytes, round);
        memset(loopback->near_buffer, 0, bytes);
    } else {
        fill(loopback->near_buffer, bytes, round);
        memset(far, 0, bytes);
    }
}

static void check(const struct Loopback* loopback, enum Operation operation, size_t bytes,
                  uint64_t round) {
    const unsigned char* far = loopback->far_buffer + far_offset(loopback);
    if (operation != kFetchAdd) {
        if (memcmp(loopback->near_buffer, far, bytes) != 0) {
            fail("the data of message %llu, %zu bytes, are wrong", (unsigned long long)round,
                 bytes);
        }
        return;
    }
    uint64_t before, returned, after;
    fill((unsigned char*)&before, sizeof before, round);
    memcpy(&returned, loopback->near_buffer, sizeof returned);
    memcpy(&after, far, sizeof after);
    if (returned != before || after != before + 1) {
        fail("fetch-and-add %llu of %#llx returned %#llx and left %#llx", (unsigned long long)round,
             (unsigned long long)before, (unsigned long long)returned, (unsigned long long)after);
    }
}

uint64_t time_message(struct Loopback* loopback, enum Operation operation, size_t bytes,
                      uint64_t round) {
    struct ibv_sge sge = {.addr = (uintptr_t)loopback->near_buffer,
                          .length = (uint32_t)bytes,
                          .lkey = loopback->near_mr->lkey};
    struct ibv_send_wr wr = send_request(loopback, operation, &sge);
    struct ibv_send_wr* bad;
    prepare(loopback, operation, bytes, round);
    if (is_received(operation)) post_receive(loopback);
    if (loopback->options.waiting == kWaitEvent) {
        // The queue is armed here before the first message only.  Later wait_event() has armed the
        // queue, and an event that wait_event() did not take is still there.
        errno = round == 0 ? ibv_req_notify_cq(loopback->cq, 0) : 0;
        if (errno != 0) fail_errno("cannot arm the completion queue");
    }
    const uint64_t start = now_ns();
    errno = ibv_post_send(loopback->near, &wr, &bad);
    if (errno != 0) fail_errno("cannot post a message");
    wait_completions(loopback, is_received(operation) ? 2 : 1, start);
    const uint64_t end = now_ns();
    check(loopback, operation, bytes, round);
    return end - start;
}
