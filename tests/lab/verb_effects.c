// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Verbs whose effects a program sees somewhere else: asynchronous events of a shared receive
// queue and of a queue pair, attachments to a multicast group, and what becomes of a message whose
// queue pair is destroyed right after it was posted.  One line for each, the same on a host and in
// a guest.
#include <errno.h>
#include <infiniband/verbs.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "endpoint.h"
#include "tool.h"

enum {
    kQueueDepth = 16,
    kReceives = 8,
    kLimit = 4,
    kMessageBytes = 64,
    kRouteHeader = 40,  // before a received datagram (IBTA 11.4.1.2)
    kPatienceMs = 30000,
};

struct Pair {
    struct ibv_qp* near;
    struct ibv_qp* far;
};

struct Bench {
    struct RdmaDevice device;
    struct ibv_pd* pd;
    struct ibv_cq* near_cq;
    struct ibv_cq* far_cq;
    struct ibv_mr* mr;
    unsigned char buffer[2 * (kRouteHeader + kMessageBytes)];
};

static void check(int error, const char* what) {
    errno = error;
    if (error != 0) fail_errno("%s", what);
}

// RNICs differ in what they do.  A caller compares what a guest prints with what the host does.
static void say(int error, const char* what) {
    printf("%s: %s\n", what, strerror(error));
}

static struct ibv_qp* make_queue_pair(struct Bench* bench, enum ibv_qp_type type, struct ibv_cq* cq,
                                      struct ibv_srq* srq) {
    struct ibv_qp_init_attr attributes = {
        .send_cq = cq,
        .recv_cq = cq,
        .srq = srq,
        .cap = {.max_send_wr = kQueueDepth,
                .max_recv_wr = kQueueDepth,
                .max_send_sge = 1,
                .max_recv_sge = 1},
        .qp_type = type,
        .sq_sig_all = 1,
    };
    struct ibv_qp* qp = ibv_create_qp(bench->pd, &attributes);
    if (qp == NULL) fail_errno("cannot create a queue pair");
    return qp;
}

static struct Pair make_pair(struct Bench* bench, enum ibv_qp_type type, struct ibv_srq* srq) {
    const struct Pair pair = {.near = make_queue_pair(bench, type, bench->near_cq, NULL),
                              .far = make_queue_pair(bench, type, bench->far_cq, srq)};
    check(connect_queue_pair(&bench->device, pair.far, pair.near->qp_num), "connecting");
    check(connect_queue_pair(&bench->device, pair.near, pair.far->qp_num), "connecting");
    return pair;
}

// Whether a completion comes, which must be one of success.
static int poll_for(struct ibv_cq* cq, const char* what) {
    struct ibv_wc completion;
    const uint64_t end = now_ns() + (uint64_t)kPatienceMs * 1000000;
    int count = 0;

    while (count == 0 && now_ns() < end) {
        count = ibv_poll_cq(cq, 1, &completion);
    }
    if (count == 1 && completion.status != IBV_WC_SUCCESS) {
        fail("%s: %s", what, ibv_wc_status_str(completion.status));
    }
    return count == 1;
}

static void poll_one(struct ibv_cq* cq, const char* what) {
    if (!poll_for(cq, what)) fail("%s: no completion", what);
}

static void send_one(struct Bench* bench, struct ibv_qp* qp, struct ibv_ah* ah, uint32_t to) {
    struct ibv_sge sge = {
        .addr = (uintptr_t)bench->buffer, .length = kMessageBytes, .lkey = bench->mr->lkey};
    struct ibv_send_wr request = {.sg_list = &sge, .num_sge = 1, .opcode = IBV_WR_SEND};
    struct ibv_send_wr* bad;

    if (ah != NULL) {
        request.wr.ud.ah = ah;
        request.wr.ud.remote_qpn = to;
        request.wr.ud.remote_qkey = kUdQkey;
    }
    check(ibv_post_send(qp, &request, &bad), "ibv_post_send");
}

static struct ibv_recv_wr receive(struct Bench* bench, struct ibv_sge* sge) {
    *sge = (struct ibv_sge){.addr = (uintptr_t)bench->buffer + sizeof(bench->buffer) / 2,
                            .length = sizeof(bench->buffer) / 2,
                            .lkey = bench->mr->lkey};
    return (struct ibv_recv_wr){.sg_list = sge, .num_sge = 1};
}

static struct ibv_async_event next_event(struct Bench* bench, const char* what) {
    struct pollfd file = {.fd = bench->device.context->async_fd, .events = POLLIN};
    struct ibv_async_event event;

    if (poll(&file, 1, kPatienceMs) != 1) fail("%s: no event", what);
    if (ibv_get_async_event(bench->device.context, &event) != 0) fail_errno("%s", what);
    ibv_ack_async_event(&event);
    return event;
}

static void limit_of_srq(struct Bench* bench) {
    static const char what[] = "a shared receive queue that gets short";
    struct ibv_srq_init_attr attributes = {.attr = {.max_wr = kQueueDepth, .max_sge = 1}};
    struct ibv_srq_attr limit = {.srq_limit = kLimit};
    struct ibv_srq* srq = ibv_create_srq(bench->pd, &attributes);
    struct ibv_sge sge;
    struct ibv_recv_wr request = receive(bench, &sge);
    struct ibv_recv_wr* bad;

    if (srq == NULL) fail_errno("ibv_create_srq");
    const struct Pair pair = make_pair(bench, IBV_QPT_RC, srq);
    for (int i = 0; i < kReceives; i++) {
        check(ibv_post_srq_recv(srq, &request, &bad), "ibv_post_srq_recv");
    }
    check(ibv_modify_srq(srq, &limit, IBV_SRQ_LIMIT), "ibv_modify_srq");
    check(ibv_query_srq(srq, &limit), "ibv_query_srq");
    if (limit.srq_limit != kLimit) fail("the limit is %u", limit.srq_limit);
    for (int i = 0; i < kReceives - kLimit + 1; i++) {
        send_one(bench, pair.near, NULL, 0);
        poll_one(bench->near_cq, what);
        poll_one(bench->far_cq, what);
    }
    const struct ibv_async_event event = next_event(bench, what);
    if (event.element.srq != srq) fail("%s: the event is another's", what);
    printf("%s: %s\n", what, ibv_event_type_str(event.event_type));
    check(ibv_destroy_qp(pair.near), "ibv_destroy_qp");
    check(ibv_destroy_qp(pair.far), "ibv_destroy_qp");
    check(ibv_destroy_srq(srq), "ibv_destroy_srq");
}

static void drained(struct Bench* bench) {
    static const char what[] = "a send queue that is drained";
    const struct Pair pair = make_pair(bench, IBV_QPT_RC, NULL);
    struct ibv_qp_attr attributes = {.qp_state = IBV_QPS_SQD, .en_sqd_async_notify = 1};

    const int error =
        ibv_modify_qp(pair.near, &attributes, IBV_QP_STATE | IBV_QP_EN_SQD_ASYNC_NOTIFY);
    if (error != 0) {
        say(error, what);
    } else {
        const struct ibv_async_event event = next_event(bench, what);
        if (event.element.qp != pair.near) fail("%s: the event is another's", what);
        printf("%s: %s\n", what, ibv_event_type_str(event.event_type));
    }
    check(ibv_destroy_qp(pair.near), "ibv_destroy_qp");
    check(ibv_destroy_qp(pair.far), "ibv_destroy_qp");
}

static void groups(struct Bench* bench) {
    // 239.1.2.3 in an Ethernet network, and in a subnet of InfiniBand (RFC 4391, 4) a LID of its
    // multicast range (IBTA 1.4, 4.1.3).
    static const union ibv_gid kOfIp = {
        .raw = {[10] = 0xff, [11] = 0xff, [12] = 239, [13] = 1, [14] = 2, [15] = 3}};
    static const union ibv_gid kOfSubnet = {.raw = {0xff, 0x12, 0x40, 0x1b, 0xff, 0xff, [15] = 3}};
    const bool subnet = bench->device.attributes.link_layer == IBV_LINK_LAYER_INFINIBAND;
    const union ibv_gid* group = subnet ? &kOfSubnet : &kOfIp;
    const uint16_t lid = subnet ? 0xc003 : 0;
    struct ibv_qp* qp = make_queue_pair(bench, IBV_QPT_UD, bench->near_cq, NULL);

    const int attached = ibv_attach_mcast(qp, group, lid);
    say(attached, "attaching to a multicast group");
    if (attached == 0) {
        say(ibv_attach_mcast(qp, group, lid), "attaching once more");
        say(ibv_destroy_qp(qp), "destroying what is attached");
        say(ibv_detach_mcast(qp, group, lid), "detaching");
        say(ibv_detach_mcast(qp, group, lid), "detaching once more");
    }
    say(ibv_attach_mcast(qp, &bench->device.gid, lid), "attaching to no group");
    check(ibv_destroy_qp(qp), "ibv_destroy_qp");
}

static void last_message(struct Bench* bench) {
    static const char what[] = "a message whose queue pair is gone";
    const struct Pair pair = make_pair(bench, IBV_QPT_UD, NULL);
    struct ibv_ah_attr way = loopback_ah(&bench->device);
    struct ibv_ah* ah = ibv_create_ah(bench->pd, &way);
    struct ibv_sge sge;
    struct ibv_recv_wr request = receive(bench, &sge);
    struct ibv_recv_wr* bad;

    if (ah == NULL) {
        say(errno, what);
        check(ibv_destroy_qp(pair.near), "ibv_destroy_qp");
        check(ibv_destroy_qp(pair.far), "ibv_destroy_qp");
        return;
    }
    check(ibv_post_recv(pair.far, &request, &bad), "ibv_post_recv");
    send_one(bench, pair.near, ah, pair.far->qp_num);
    check(ibv_destroy_qp(pair.near), "ibv_destroy_qp");
    printf("%s: %s\n", what, poll_for(bench->far_cq, what) ? "received" : "lost");
    check(ibv_destroy_ah(ah), "ibv_destroy_ah");
    check(ibv_destroy_qp(pair.far), "ibv_destroy_qp");
}

int main(int argc, char** argv) {
    if (argc != 2) refuse("usage: verb_effects DEVICE");
    const struct DeviceChoice choice = {.name = argv[1], .port = 1, .gid_index = kAnyGid};
    static struct Bench bench;

    bench.device = open_device(&choice);
    bench.pd = ibv_alloc_pd(bench.device.context);
    bench.near_cq = ibv_create_cq(bench.device.context, kQueueDepth, NULL, NULL, 0);
    bench.far_cq = ibv_create_cq(bench.device.context, kQueueDepth, NULL, NULL, 0);
    if (bench.pd == NULL || bench.near_cq == NULL || bench.far_cq == NULL) {
        fail_errno("cannot create a domain and completion queues");
    }
    bench.mr = ibv_reg_mr(bench.pd, bench.buffer, sizeof(bench.buffer), IBV_ACCESS_LOCAL_WRITE);
    if (bench.mr == NULL) fail_errno("ibv_reg_mr");
    limit_of_srq(&bench);
    drained(&bench);
    groups(&bench);
    last_message(&bench);
    check(ibv_dereg_mr(bench.mr), "ibv_dereg_mr");
    check(ibv_destroy_cq(bench.near_cq), "ibv_destroy_cq");
    check(ibv_destroy_cq(bench.far_cq), "ibv_destroy_cq");
    check(ibv_dealloc_pd(bench.pd), "ibv_dealloc_pd");
    close_device(&bench.device);
    return 0;
}
