// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "control_verbs.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "tool.h"

enum { kQueueDepth = 64 };

const char* const kControlTestNames[kControlTests] = {"pd",  "cq", "qp", "connect",
                                                      "srq", "ah", "mr"};

// Objects that the verbs under test need.
struct Bench {
    const struct RdmaDevice* device;
    const struct ControlOptions* options;
    struct ibv_pd* pd;
    struct ibv_cq* cq;
    struct Pages pages;
};

// A pair of verbs.  make() returns the object, or NULL with errno set; destroy() returns 0 or an
// errno.
struct Verbs {
    const char* make_name;
    const char* destroy_name;
    void* (*make)(const struct Bench* bench);
    int (*destroy)(void* object);
};

static void* make_pd(const struct Bench* bench) {
    return ibv_alloc_pd(bench->device->context);
}
static int destroy_pd(void* pd) {
    return ibv_dealloc_pd(pd);
}

static void* make_cq(const struct Bench* bench) {
    return ibv_create_cq(bench->device->context, (int)bench->options->cq_entries, NULL, NULL, 0);
}
static int destroy_cq(void* cq) {
    return ibv_destroy_cq(cq);
}

static void* make_qp(const struct Bench* bench) {
    struct ibv_qp_init_attr attributes = {
        .send_cq = bench->cq,
        .recv_cq = bench->cq,
        .cap = {.max_send_wr = kQueueDepth,
                .max_recv_wr = kQueueDepth,
                .max_send_sge = 1,
                .max_recv_sge = 1},
        .qp_type = IBV_QPT_RC,
    };
    return ibv_create_qp(bench->pd, &attributes);
}
static int destroy_qp(void* qp) {
    return ibv_destroy_qp(qp);
}

static void* make_srq(const struct Bench* bench) {
    struct ibv_srq_init_attr attributes = {.attr = {.max_wr = kQueueDepth, .max_sge = 1}};
    return ibv_create_srq(bench->pd, &attributes);
}
static int destroy_srq(void* srq) {
    return ibv_destroy_srq(srq);
}

static void* make_ah(const struct Bench* bench) {
    struct ibv_ah_attr attributes = loopback_ah(bench->device);
    return ibv_create_ah(bench->pd, &attributes);
}
static int destroy_ah(void* ah) {
    return ibv_destroy_ah(ah);
}

static void* make_mr(const struct Bench* bench) {
    return ibv_reg_mr(bench->pd, bench->pages.address, bench->pages.bytes,
                      IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_WRITE);
}
static int destroy_mr(void* mr) {
    return ibv_dereg_mr(mr);
}

static const struct Verbs kVerbs[kControlTests] = {
    [kPd] = {"alloc_pd", "dealloc_pd", make_pd, destroy_pd},
    [kCq] = {"create_cq", "destroy_cq", make_cq, destroy_cq},
    [kQp] = {"create_qp", "destroy_qp", make_qp, destroy_qp},
    [kConnect] = {"create_qp", "destroy_qp", make_qp, destroy_qp},
    [kSrq] = {"create_srq", "destroy_srq", make_srq, destroy_srq},
    [kAh] = {"create_ah", "destroy_ah", make_ah, destroy_ah},
    [kMr] = {"reg_mr", "dereg_mr", make_mr, destroy_mr},
};

static void* make(const struct Bench* bench, const struct Verbs* verbs) {
    void* object = verbs->make(bench);
    if (object == NULL) fail_errno("%s failed", verbs->make_name);
    return object;
}

static void destroy(const struct Verbs* verbs, void* object) {
    errno = verbs->destroy(object);
    if (errno != 0) fail_errno("destroying what %s made failed", verbs->make_name);
}

static void time_pair(const struct Bench* bench, const struct Verbs* verbs, struct Samples* making,
                      struct Samples* destroying) {
    const uint64_t start = now_ns();
    void* object = make(bench, verbs);
    const uint64_t made = now_ns();
    destroy(verbs, object);
    const uint64_t end = now_ns();
    add_sample(making, made - start);
    add_sample(destroying, end - made);
}

static void time_connect(const struct Bench* bench, const struct Verbs* verbs,
                         struct Samples* connecting, struct Samples* unused) {
    (void)unused;
    struct ibv_qp* qp = make(bench, verbs);
    const uint64_t start = now_ns();
    errno = connect_queue_pair(bench->device, qp, qp->qp_num);
    const uint64_t end = now_ns();
    if (errno != 0) fail_errno("a queue pair does not connect to itself");
    destroy(verbs, qp);
    add_sample(connecting, end - start);
}

typedef void TimeOnce(const struct Bench* bench, const struct Verbs* verbs, struct Samples* first,
                      struct Samples* second);

static void time_again_and_again(const struct Bench* bench, enum ControlTest test,
                                 struct Samples* first, struct Samples* second) {
    const struct ControlOptions* options = bench->options;
    TimeOnce* once = test == kConnect ? time_connect : time_pair;
    for (unsigned i = 0; i < options->warm_up; ++i) once(bench, &kVerbs[test], first, second);
    clear_samples(first);
    clear_samples(second);
    if (options->steps) step("ready");
    for (unsigned i = 0; i < options->iterations; ++i) once(bench, &kVerbs[test], first, second);
    if (options->steps) step("measured");
}

static struct Bench make_bench(const struct RdmaDevice* device,
                               const struct ControlOptions* options, enum ControlTest test,
                               size_t bytes) {
    struct Bench bench = {.device = device, .options = options};
    bench.pd = ibv_alloc_pd(device->context);
    if (bench.pd == NULL) fail_errno("cannot allocate a protection domain");
    bench.cq = ibv_create_cq(device->context, kQueueDepth, NULL, NULL, 0);
    if (bench.cq == NULL) fail_errno("cannot create a completion queue");
    if (test == kMr) bench.pages = make_pages(options->pages, bytes);
    return bench;
}

static void free_bench(struct Bench* bench) {
    if (bench->pages.address != NULL) free_pages(&bench->pages);
    errno = ibv_destroy_cq(bench->cq);
    if (errno != 0) fail_errno("cannot destroy a completion queue");
    errno = ibv_dealloc_pd(bench->pd);
    if (errno != 0) fail_errno("cannot deallocate a protection domain");
}

void time_control(const struct RdmaDevice* device, const struct ControlOptions* options,
                  enum ControlTest test, size_t bytes, struct Report* report) {
    struct Bench bench = make_bench(device, options, test, bytes);
    const size_t rounds = (size_t)options->warm_up + options->iterations;
    struct Samples first = make_samples(rounds);
    struct Samples second = make_samples(rounds);
    // A report shows the bytes of a memory region, and 0 for any other object.
    const size_t shown = test == kMr ? bench.pages.bytes : 0;
    time_again_and_again(&bench, test, &first, &second);
    if (test == kConnect) {
        report_samples(report, "connect_qp", shown, &first);
    } else {
        report_samples(report, kVerbs[test].make_name, shown, &first);
        report_samples(report, kVerbs[test].destroy_name, shown, &second);
    }
    free_samples(&first);
    free_samples(&second);
    free_bench(&bench);
}
