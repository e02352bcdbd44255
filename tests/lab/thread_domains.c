// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Thread domains and parent domains, which are the library's own: a thread domain of libmlx5 has a
// doorbell page of its own.  Messages go through queue pairs of two thread domains.  One line for
// each, the same on a host and in a guest.
#include <errno.h>
#include <infiniband/verbs.h>
#include <stdio.h>
#include <string.h>

#include "endpoint.h"
#include "tool.h"

enum { kQueueDepth = 4, kMessageBytes = 64, kMessages = 100, kPatienceMs = 30000 };

// What a thread has.
struct Thread {
    struct ibv_td* td;
    struct ibv_pd* domain;  // the parent of the protection domain and td
    struct ibv_cq* cq;
    struct ibv_qp* qp;
};

static void say(int error, const char* what) {
    printf("%s: %s\n", what, strerror(error));
}

static void check(int error, const char* what) {
    errno = error;
    if (error != 0) fail_errno("%s", what);
}

static struct ibv_td* make_thread_domain(struct ibv_context* context) {
    struct ibv_td_init_attr attributes = {.comp_mask = 0};
    return ibv_alloc_td(context, &attributes);
}

static struct ibv_pd* make_parent(struct ibv_context* context, struct ibv_pd* pd,
                                  struct ibv_td* td) {
    struct ibv_parent_domain_init_attr attributes = {.pd = pd, .td = td};
    return ibv_alloc_parent_domain(context, &attributes);
}

static struct Thread make_thread(struct ibv_context* context, struct ibv_pd* pd,
                                 struct ibv_td* td) {
    struct Thread thread = {.td = td, .domain = make_parent(context, pd, td)};
    if (thread.domain == NULL) fail_errno("ibv_alloc_parent_domain");
    thread.cq = ibv_create_cq(context, kQueueDepth, NULL, NULL, 0);
    if (thread.cq == NULL) fail_errno("ibv_create_cq");
    struct ibv_qp_init_attr attributes = {
        .send_cq = thread.cq,
        .recv_cq = thread.cq,
        .cap = {.max_send_wr = kQueueDepth,
                .max_recv_wr = kQueueDepth,
                .max_send_sge = 1,
                .max_recv_sge = 1},
        .qp_type = IBV_QPT_RC,
        .sq_sig_all = 1,
    };
    thread.qp = ibv_create_qp(thread.domain, &attributes);
    if (thread.qp == NULL) fail_errno("ibv_create_qp");
    return thread;
}

static void destroy_thread(struct Thread* thread) {
    check(ibv_destroy_qp(thread->qp), "ibv_destroy_qp");
    check(ibv_destroy_cq(thread->cq), "ibv_destroy_cq");
    check(ibv_dealloc_pd(thread->domain), "ibv_dealloc_pd");
    check(ibv_dealloc_td(thread->td), "ibv_dealloc_td");
}

static void poll_one(struct ibv_cq* cq, const char* what) {
    const uint64_t end = now_ns() + (uint64_t)kPatienceMs * 1000000;
    struct ibv_wc completion;
    int count = 0;

    while (count == 0 && now_ns() < end) {
        count = ibv_poll_cq(cq, 1, &completion);
    }
    if (count != 1) fail("%s: no completion", what);
    if (completion.status != IBV_WC_SUCCESS) {
        fail("%s: %s", what, ibv_wc_status_str(completion.status));
    }
}

static void send_one(const struct Thread* from, const struct Thread* to, const struct ibv_mr* mr) {
    struct ibv_sge sge = {.addr = (uintptr_t)mr->addr, .length = kMessageBytes, .lkey = mr->lkey};
    struct ibv_recv_wr receive = {.sg_list = &sge, .num_sge = 1};
    struct ibv_recv_wr* bad_receive;
    struct ibv_send_wr send = {.sg_list = &sge, .num_sge = 1, .opcode = IBV_WR_SEND};
    struct ibv_send_wr* bad_send;

    check(ibv_post_recv(to->qp, &receive, &bad_receive), "ibv_post_recv");
    check(ibv_post_send(from->qp, &send, &bad_send), "ibv_post_send");
    poll_one(from->cq, "the send");
    poll_one(to->cq, "the receive");
}

static void exchange(const struct RdmaDevice* device, struct ibv_pd* pd, struct ibv_td* first,
                     struct ibv_td* second) {
    static unsigned char buffer[kMessageBytes];
    struct Thread a = make_thread(device->context, pd, first);
    struct Thread b = make_thread(device->context, pd, second);
    struct ibv_mr* mr = ibv_reg_mr(pd, buffer, sizeof(buffer), IBV_ACCESS_LOCAL_WRITE);
    if (mr == NULL) fail_errno("ibv_reg_mr");

    say(ibv_dealloc_td(first), "freeing a thread domain in use");
    check(connect_queue_pair(device, a.qp, b.qp->qp_num), "connecting");
    check(connect_queue_pair(device, b.qp, a.qp->qp_num), "connecting");
    for (int i = 0; i < kMessages; ++i) {
        send_one(&a, &b, mr);
        send_one(&b, &a, mr);
    }
    say(0, "messages between thread domains");
    check(ibv_dereg_mr(mr), "ibv_dereg_mr");
    destroy_thread(&a);
    destroy_thread(&b);
}

int main(int argc, char** argv) {
    if (argc != 2) refuse("usage: thread_domains DEVICE");
    const struct DeviceChoice choice = {.name = argv[1], .port = 1, .gid_index = kAnyGid};
    struct RdmaDevice device = open_device(&choice);
    struct ibv_pd* pd = ibv_alloc_pd(device.context);
    if (pd == NULL) fail_errno("ibv_alloc_pd");

    struct ibv_td* first = make_thread_domain(device.context);
    say(first == NULL ? errno : 0, "a thread domain");
    // The second round has pages that the library kept from the first.
    for (int round = 0; round < 2 && first != NULL; ++round) {
        struct ibv_td* second = make_thread_domain(device.context);
        if (second == NULL) fail_errno("a second thread domain");
        exchange(&device, pd, first, second);
        first = make_thread_domain(device.context);
    }
    if (first != NULL) check(ibv_dealloc_td(first), "ibv_dealloc_td");
    check(ibv_dealloc_pd(pd), "ibv_dealloc_pd");
    close_device(&device);
    return 0;
}
