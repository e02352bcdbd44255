// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A domain of extended reliable connections that two processes share by a file: what opening it
// and closing it answers, and a message through a target queue pair whose maker has ended.  One
// line for each, the same on a host and in a guest.
#include <errno.h>
#include <fcntl.h>
#include <infiniband/verbs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "endpoint.h"
#include "tool.h"

enum { kQueueDepth = 4, kMessageBytes = 64, kPatienceMs = 30000 };

// How the two processes tell each other the numbers of their queue pairs.
struct Line {
    int in;
    int out;
};

// What a process has of the RNIC.
struct Bench {
    struct RdmaDevice device;
    struct ibv_pd* pd;
    struct ibv_cq* cq;
    struct ibv_xrcd* domain;
};

static void say(int error, const char* what) {
    printf("%s: %s\n", what, strerror(error));
    fflush(stdout);
}

static void check(int error, const char* what) {
    errno = error;
    if (error != 0) fail_errno("%s", what);
}

static void tell(struct Line line, uint32_t number) {
    if (write(line.out, &number, sizeof(number)) != sizeof(number)) fail_errno("write");
}

static uint32_t hear(struct Line line) {
    uint32_t number;
    if (read(line.in, &number, sizeof(number)) != sizeof(number)) {
        fail("the other process has ended");
    }
    return number;
}

static struct ibv_xrcd* open_domain(const struct Bench* bench, int file, int flags) {
    struct ibv_xrcd_init_attr attributes = {
        .comp_mask = IBV_XRCD_INIT_ATTR_FD | IBV_XRCD_INIT_ATTR_OFLAGS,
        .fd = file,
        .oflags = flags,
    };
    return ibv_open_xrcd(bench->device.context, &attributes);
}

static struct Bench open_bench(const char* name, int file) {
    const struct DeviceChoice choice = {.name = name, .port = 1, .gid_index = kAnyGid};
    struct Bench bench = {.device = open_device(&choice)};

    bench.pd = ibv_alloc_pd(bench.device.context);
    bench.cq = ibv_create_cq(bench.device.context, kQueueDepth, NULL, NULL, 0);
    if (bench.pd == NULL || bench.cq == NULL) fail_errno("no protection domain or CQ");
    bench.domain = open_domain(&bench, file, O_CREAT);
    if (bench.domain == NULL) fail_errno("cannot open the domain");
    return bench;
}

static struct ibv_srq* make_srq(const struct Bench* bench) {
    struct ibv_srq_init_attr_ex attributes = {
        .attr = {.max_wr = kQueueDepth, .max_sge = 1},
        .comp_mask = IBV_SRQ_INIT_ATTR_TYPE | IBV_SRQ_INIT_ATTR_XRCD | IBV_SRQ_INIT_ATTR_CQ |
                     IBV_SRQ_INIT_ATTR_PD,
        .srq_type = IBV_SRQT_XRC,
        .pd = bench->pd,
        .xrcd = bench->domain,
        .cq = bench->cq,
    };
    struct ibv_srq* srq = ibv_create_srq_ex(bench->device.context, &attributes);
    if (srq == NULL) fail_errno("cannot create a shared receive queue");
    return srq;
}

static struct ibv_qp* make_target(const struct Bench* bench) {
    struct ibv_qp_init_attr_ex attributes = {
        .qp_type = IBV_QPT_XRC_RECV,
        .comp_mask = IBV_QP_INIT_ATTR_XRCD,
        .xrcd = bench->domain,
    };
    struct ibv_qp* qp = ibv_create_qp_ex(bench->device.context, &attributes);
    if (qp == NULL) fail_errno("cannot create a target queue pair");
    return qp;
}

static void open_target(const struct Bench* bench, uint32_t number) {
    struct ibv_qp_open_attr attributes = {
        .comp_mask = IBV_QP_OPEN_ATTR_NUM | IBV_QP_OPEN_ATTR_XRCD | IBV_QP_OPEN_ATTR_TYPE,
        .qp_num = number,
        .xrcd = bench->domain,
        .qp_type = IBV_QPT_XRC_RECV,
    };
    struct ibv_qp* qp = ibv_open_qp(bench->device.context, &attributes);
    if (qp == NULL) fail_errno("cannot open the target queue pair");
}

static struct ibv_qp* make_initiator(const struct Bench* bench) {
    struct ibv_qp_init_attr_ex attributes = {
        .send_cq = bench->cq,
        .cap = {.max_send_wr = kQueueDepth, .max_send_sge = 1},
        .qp_type = IBV_QPT_XRC_SEND,
        .sq_sig_all = 1,
        .comp_mask = IBV_QP_INIT_ATTR_PD,
        .pd = bench->pd,
    };
    struct ibv_qp* qp = ibv_create_qp_ex(bench->device.context, &attributes);
    if (qp == NULL) fail_errno("cannot create an initiator");
    return qp;
}

// The process that makes the target, and ends.
static void make_and_end(const char* name, int file, struct Line line) {
    const struct Bench bench = open_bench(name, file);
    struct ibv_qp* target = make_target(&bench);

    tell(line, target->qp_num);
    check(connect_queue_pair(&bench.device, target, hear(line)), "connecting the target");
    tell(line, 0);
    (void)hear(line);  // the other one has opened it
    exit(0);
}

// Waits for the completions of a send and of a receive, in any order.
static void poll_both(struct ibv_cq* cq) {
    const uint64_t end = now_ns() + (uint64_t)kPatienceMs * 1000000;
    int done = 0;

    while (done < 2 && now_ns() < end) {
        struct ibv_wc completion;
        const int count = ibv_poll_cq(cq, 1, &completion);
        if (count < 0) fail("ibv_poll_cq");
        if (count == 1 && completion.status != IBV_WC_SUCCESS) {
            fail("a completion: %s", ibv_wc_status_str(completion.status));
        }
        done += count;
    }
    if (done < 2) fail("%d of 2 completions", done);
}

static void exchange(const struct Bench* bench, struct ibv_qp* qp, struct ibv_srq* srq) {
    static unsigned char buffer[2 * kMessageBytes];
    struct ibv_mr* mr = ibv_reg_mr(bench->pd, buffer, sizeof(buffer), IBV_ACCESS_LOCAL_WRITE);
    if (mr == NULL) fail_errno("ibv_reg_mr");
    struct ibv_sge to = {
        .addr = (uintptr_t)buffer + kMessageBytes, .length = kMessageBytes, .lkey = mr->lkey};
    struct ibv_recv_wr receive = {.sg_list = &to, .num_sge = 1};
    struct ibv_recv_wr* bad_receive;
    struct ibv_sge from = {.addr = (uintptr_t)buffer, .length = kMessageBytes, .lkey = mr->lkey};
    struct ibv_send_wr send = {.sg_list = &from, .num_sge = 1, .opcode = IBV_WR_SEND};
    struct ibv_send_wr* bad_send;

    memset(buffer, 0x5a, kMessageBytes);
    check(ibv_get_srq_num(srq, &send.qp_type.xrc.remote_srqn), "ibv_get_srq_num");
    check(ibv_post_srq_recv(srq, &receive, &bad_receive), "ibv_post_srq_recv");
    check(ibv_post_send(qp, &send, &bad_send), "ibv_post_send");
    poll_both(bench->cq);
    if (memcmp(buffer, buffer + kMessageBytes, kMessageBytes) != 0) fail("other bytes arrived");
    check(ibv_dereg_mr(mr), "ibv_dereg_mr");
}

static void use(const char* name, int file, struct Line line, pid_t maker) {
    int status;

    const uint32_t number = hear(line);
    const struct Bench bench = open_bench(name, file);
    say(open_domain(&bench, file, O_CREAT | O_EXCL) == NULL ? errno : 0,
        "a domain that is there, with O_EXCL");

    struct ibv_srq* srq = make_srq(&bench);
    say(ibv_close_xrcd(bench.domain), "closing a domain with a queue in it");
    struct ibv_qp* initiator = make_initiator(&bench);
    check(connect_queue_pair(&bench.device, initiator, number), "connecting the initiator");
    tell(line, initiator->qp_num);
    (void)hear(line);
    open_target(&bench, number);
    exchange(&bench, initiator, srq);
    say(0, "a message through another process's target");

    tell(line, 0);
    if (waitpid(maker, &status, 0) != maker || status != 0) fail("the maker has failed");
    exchange(&bench, initiator, srq);
    say(0, "a message through a target whose maker has ended");

    // The kernel closes what is open.  ibv_destroy_qp() of a queue pair that ibv_open_qp() gave
    // ends a program of libmlx5 44: the library frees the index of another queue pair.
}

int main(int argc, char** argv) {
    char path[] = "/tmp/xrc-domain-XXXXXX";
    int to_maker[2];
    int to_user[2];

    if (argc != 2) refuse("usage: xrc_sharing DEVICE");
    const int file = mkstemp(path);
    if (file < 0 || unlink(path) != 0) fail_errno("%s", path);
    if (pipe(to_maker) != 0 || pipe(to_user) != 0) fail_errno("pipe");

    // Before the device is open: its memory is not for children.
    const pid_t maker = fork();
    if (maker < 0) fail_errno("fork");
    if (maker == 0) {
        close(to_maker[1]);
        close(to_user[0]);
        make_and_end(argv[1], file, (struct Line){.in = to_maker[0], .out = to_user[1]});
    }
    close(to_maker[0]);
    close(to_user[1]);
    use(argv[1], file, (struct Line){.in = to_user[0], .out = to_maker[1]}, maker);
    return 0;
}
