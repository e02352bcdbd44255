// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What a device answers to every right, length and kind of memory that a program can register,
// and what regions of no bytes allow afterwards.  One line for each, the same on a
// host and in a guest: "WHAT: RESULT".
#include <errno.h>
#include <fcntl.h>
#include <infiniband/verbs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "endpoint.h"
#include "tool.h"

enum {
    kPage = 4096,
    kHugePage = 2 << 20,
    kPages = 16,
    kRights = 32,
    kQueueDepth = 16,
    kPatienceMs = 30000,
};

struct Bench {
    struct RdmaDevice device;
    struct ibv_pd* pd;
    struct ibv_cq* cq;
    unsigned char* memory;  // kPages pages, and nothing behind them
};

static const struct {
    const char* name;
    unsigned bits;
} kCombinations[] = {
    {"remote write, not local", IBV_ACCESS_REMOTE_WRITE},
    {"remote atomic, not local", IBV_ACCESS_REMOTE_ATOMIC},
    {"remote read, not local", IBV_ACCESS_REMOTE_READ},
    {"all remote rights", IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |
                              IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC},
    {"binding, not local", IBV_ACCESS_MW_BIND},
    {"binding and zero based", IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_MW_BIND | IBV_ACCESS_ZERO_BASED},
    {"on demand and huge", IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_ON_DEMAND | IBV_ACCESS_HUGETLB},
    {"relaxed and remote write, not local", IBV_ACCESS_RELAXED_ORDERING | IBV_ACCESS_REMOTE_WRITE},
    {"every bit", ~0U},
};

static void say(const char* what, int error) {
    printf("%s: %s\n", what, error == 0 ? "Success" : strerror(error));
}

static int try_register(struct Bench* bench, void* address, size_t length, uint64_t iova,
                        unsigned access) {
    errno = 0;
    struct ibv_mr* mr = ibv_reg_mr_iova2(bench->pd, address, length, iova, access);

    if (mr == NULL) return errno;
    return ibv_dereg_mr(mr);
}

static int register_at(struct Bench* bench, void* address, size_t length, unsigned access) {
    return try_register(bench, address, length, (uintptr_t)address, access);
}

static void rights(struct Bench* bench) {
    char what[64];

    say("no right", register_at(bench, bench->memory, kPage, 0));
    for (unsigned bit = 0; bit < kRights; bit++) {
        snprintf(what, sizeof(what), "right %u alone", bit);
        say(what, register_at(bench, bench->memory, kPage, 1U << bit));
        snprintf(what, sizeof(what), "right %u with local write", bit);
        say(what, register_at(bench, bench->memory, kPage, 1U << bit | IBV_ACCESS_LOCAL_WRITE));
    }
    for (size_t i = 0; i < sizeof(kCombinations) / sizeof(kCombinations[0]); i++) {
        say(kCombinations[i].name, register_at(bench, bench->memory, kPage, kCombinations[i].bits));
    }
}

static void lengths(struct Bench* bench) {
    static const struct {
        const char* name;
        size_t offset;
        size_t length;
    } cases[] = {
        {"no bytes", 0, 0},
        {"no bytes, unaligned", 100, 0},
        {"no bytes behind the mapping", (size_t)kPages * kPage, 0},
        {"no bytes, unaligned, behind the mapping", (size_t)kPages * kPage + 1, 0},
        {"one byte", 0, 1},
        {"one byte, unaligned", 4095, 1},
        {"two bytes across pages", 4095, 2},
        {"one page", 0, kPage},
        {"one page, unaligned", 1, kPage},
        {"all pages", 0, (size_t)kPages * kPage},
        {"one byte too many", 0, (size_t)kPages * kPage + 1},
        {"one page too many", kPage, (size_t)kPages * kPage},
        {"half of the address space", 0, (size_t)1 << 63},
        {"all but a byte", 0, SIZE_MAX},
        {"2^44 bytes", 0, (size_t)1 << 44},
        {"2^47 bytes", 0, (size_t)1 << 47},
    };
    char what[96];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned char* address = bench->memory + cases[i].offset;
        say(cases[i].name, register_at(bench, address, cases[i].length, IBV_ACCESS_LOCAL_WRITE));
        snprintf(what, sizeof(what), "%s, zero based", cases[i].name);
        say(what, register_at(bench, address, cases[i].length,
                              IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_ZERO_BASED));
    }
    say("around the end of the address space",
        register_at(bench, (void*)(UINTPTR_MAX - kPage + 1), (size_t)2 * kPage, 0));
    say("no bytes at address 0", register_at(bench, NULL, 0, 0));
    say("no bytes at the last address", register_at(bench, (void*)UINTPTR_MAX, 0, 0));
    say("one byte at the last address", register_at(bench, (void*)UINTPTR_MAX, 1, 0));
    say("another iova", try_register(bench, bench->memory, kPage, (uint64_t)1 << 40, 0));
    say("an iova with another offset", try_register(bench, bench->memory, kPage, 1, 0));
    say("an iova around the end",
        try_register(bench, bench->memory, (size_t)2 * kPage, UINT64_MAX - kPage + 1, 0));
    say("an iova up to the end", try_register(bench, bench->memory, kPage, UINT64_MAX - 4095, 0));
    say("no bytes, an iova with another offset",
        try_register(bench, bench->memory + 1, 0, (uint64_t)1 << 40, 0));
}

// Registers memory for reading and for writing, and gives it back.
static void kind(struct Bench* bench, const char* name, void* address, size_t length) {
    char what[96];

    if (address == MAP_FAILED || address == NULL) {
        printf("%s: not here\n", name);
        return;
    }
    snprintf(what, sizeof(what), "%s, to read", name);
    say(what, register_at(bench, address, length, 0));
    snprintf(what, sizeof(what), "%s, to write", name);
    say(what, register_at(bench, address, length, IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ));
}

static void mapped(struct Bench* bench, const char* name, int protection, int flags, int file) {
    const size_t length = flags & MAP_HUGETLB ? kHugePage : (size_t)4 * kPage;
    void* address = mmap(NULL, length, protection, flags, file, 0);

    kind(bench, name, address, length);
    if (address != MAP_FAILED) munmap(address, length);
}

static int scratch_file(void) {
    const int file = memfd_create("mr_edges", 0);

    if (file < 0 || ftruncate(file, (off_t)4 * kPage) != 0) fail_errno("memfd_create");
    return file;
}

static void kinds(struct Bench* bench) {
    enum { kRead = PROT_READ, kBoth = PROT_READ | PROT_WRITE };
    unsigned char stack[100];
    const int file = scratch_file();
    const int zero = open("/dev/zero", O_RDWR);
    const int program = open("/proc/self/exe", O_RDONLY);
    char* huge = aligned_alloc(kHugePage, 2 * (size_t)kHugePage);
    const int device = bench->device.context->cmd_fd;

    kind(bench, "stack", stack, sizeof(stack));
    kind(bench, "text", (void*)(uintptr_t)&register_at, 100);
    kind(bench, "constants", (void*)(uintptr_t)kCombinations, sizeof(kCombinations));
    kind(bench, "vdso", (void*)getauxval(AT_SYSINFO_EHDR), kPage);
    mapped(bench, "anonymous", kBoth, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    mapped(bench, "anonymous, shared", kBoth, MAP_SHARED | MAP_ANONYMOUS, -1);
    mapped(bench, "anonymous, for reading", kRead, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    mapped(bench, "anonymous, forbidden", PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    mapped(bench, "anonymous, locked", kBoth, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1);
    mapped(bench, "huge pages", kBoth, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1);
    mapped(bench, "memory file, shared", kBoth, MAP_SHARED, file);
    mapped(bench, "memory file, private", kBoth, MAP_PRIVATE, file);
    mapped(bench, "memory file, shared, for reading", kRead, MAP_SHARED, file);
    mapped(bench, "memory file, private, for reading", kRead, MAP_PRIVATE, file);
    mapped(bench, "zeros, shared", kBoth, MAP_SHARED, zero);
    mapped(bench, "zeros, private", kBoth, MAP_PRIVATE, zero);
    mapped(bench, "program's file, private", kRead, MAP_PRIVATE, program);
    mapped(bench, "program's file, shared", kRead, MAP_SHARED, program);
    mapped(bench, "device's file", kRead, MAP_SHARED, device);
    if (huge != NULL) {
        madvise(huge, 2 * (size_t)kHugePage, MADV_HUGEPAGE);
        memset(huge, 1, 2 * (size_t)kHugePage);
    }
    kind(bench, "transparent huge pages", huge, 2 * (size_t)kHugePage);
    free(huge);
    if (ftruncate(file, kPage) != 0) fail_errno("ftruncate");
    mapped(bench, "memory file, beyond its end", kBoth, MAP_SHARED, file);

    unsigned char* hole = mmap(NULL, (size_t)3 * kPage, kBoth, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (hole == MAP_FAILED) fail_errno("mmap");
    munmap(hole + kPage, kPage);
    kind(bench, "with a hole", hole, (size_t)3 * kPage);
    kind(bench, "a hole", hole + kPage, kPage);
    if (mmap(hole + kPage, kPage, kRead, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
        MAP_FAILED) {
        fail_errno("mmap");
    }
    kind(bench, "partly for reading", hole, (size_t)3 * kPage);
    munmap(hole, (size_t)3 * kPage);
    close(file);
    close(zero);
    close(program);
}

static int rereg(struct Bench* bench, struct ibv_mr* mr, int flags, size_t length, int access) {
    const int result = ibv_rereg_mr(mr, flags, bench->pd, bench->memory, length, access);

    return result == 0 ? 0 : errno;
}

static void reregistering(struct Bench* bench) {
    static const struct {
        const char* name;
        int flags;
        size_t length;
        int access;
    } cases[] = {
        {"reregister nothing", 0, kPage, 0},
        {"reregister the domain", IBV_REREG_MR_CHANGE_PD, 0, 0},
        {"reregister rights", IBV_REREG_MR_CHANGE_ACCESS, 0, IBV_ACCESS_REMOTE_READ},
        {"reregister remote write, not local", IBV_REREG_MR_CHANGE_ACCESS, 0,
         IBV_ACCESS_REMOTE_WRITE},
        {"reregister on demand", IBV_REREG_MR_CHANGE_ACCESS, 0,
         IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_ON_DEMAND},
        {"reregister huge", IBV_REREG_MR_CHANGE_ACCESS, 0, IBV_ACCESS_HUGETLB},
        {"reregister zero based", IBV_REREG_MR_CHANGE_ACCESS, 0, IBV_ACCESS_ZERO_BASED},
        {"reregister an unknown right", IBV_REREG_MR_CHANGE_ACCESS, 0, 1 << 19},
        {"reregister the pages", IBV_REREG_MR_CHANGE_TRANSLATION, (size_t)2 * kPage, 0},
        {"reregister no pages", IBV_REREG_MR_CHANGE_TRANSLATION, 0, 0},
        {"reregister too many pages", IBV_REREG_MR_CHANGE_TRANSLATION, (size_t)(kPages + 1) * kPage,
         0},
        {"reregister everything",
         IBV_REREG_MR_CHANGE_TRANSLATION | IBV_REREG_MR_CHANGE_PD | IBV_REREG_MR_CHANGE_ACCESS,
         kPage, IBV_ACCESS_LOCAL_WRITE},
        {"reregister by an unknown flag", 1 << 5, kPage, 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ibv_mr* mr = ibv_reg_mr(bench->pd, bench->memory, kPage, IBV_ACCESS_LOCAL_WRITE);

        if (mr == NULL) fail_errno("ibv_reg_mr");
        say(cases[i].name, rereg(bench, mr, cases[i].flags, cases[i].length, cases[i].access));
        if (ibv_dereg_mr(mr) != 0) fail_errno("ibv_dereg_mr");
    }
}

static void other_verbs(struct Bench* bench) {
    const int file = scratch_file();
    struct ibv_sge sge = {.addr = (uintptr_t)bench->memory, .length = kPage};

    errno = 0;
    struct ibv_mr* mr = ibv_reg_dmabuf_mr(bench->pd, 0, kPage, 0, file, IBV_ACCESS_LOCAL_WRITE);
    say("a dma-buf that is none", mr == NULL ? errno : 0);
    close(file);
    for (int type = 0; type < 4; type++) {
        char what[32];

        errno = 0;
        struct ibv_mw* mw = ibv_alloc_mw(bench->pd, (enum ibv_mw_type)type);
        snprintf(what, sizeof(what), "a window of type %d", type);
        say(what, mw == NULL ? errno : 0);
        if (mw != NULL) ibv_dealloc_mw(mw);
    }
    mr = ibv_reg_mr(bench->pd, bench->memory, kPage, IBV_ACCESS_LOCAL_WRITE);
    if (mr == NULL) fail_errno("ibv_reg_mr");
    sge.lkey = mr->lkey;
    for (int advice = 0; advice < 4; advice++) {
        char what[32];

        snprintf(what, sizeof(what), "advice %d", advice);
        say(what, ibv_advise_mr(bench->pd, (enum ibv_advise_mr_advice)advice, 0, &sge, 1));
    }
    if (ibv_dereg_mr(mr) != 0) fail_errno("ibv_dereg_mr");
}

// Registers what a child has as well.
static void forked(struct Bench* bench) {
    const pid_t child = fork();
    int status = 0;

    if (child < 0) fail_errno("fork");
    if (child == 0) {
        pause();
        _exit(0);
    }
    say("memory that a child has as well",
        register_at(bench, bench->memory, (size_t)kPages * kPage, IBV_ACCESS_LOCAL_WRITE));
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
}

static struct ibv_qp* make_queue_pair(struct Bench* bench) {
    struct ibv_qp_init_attr attributes = {
        .send_cq = bench->cq,
        .recv_cq = bench->cq,
        .cap = {.max_send_wr = kQueueDepth,
                .max_recv_wr = kQueueDepth,
                .max_send_sge = 1,
                .max_recv_sge = 1},
        .qp_type = IBV_QPT_RC,
        .sq_sig_all = 1,
    };
    struct ibv_qp* qp = ibv_create_qp(bench->pd, &attributes);

    if (qp == NULL) fail_errno("ibv_create_qp");
    return qp;
}

// Runs one work request on a fresh pair of queue pairs, and says how it ended.
static void run(struct Bench* bench, const char* what, struct ibv_send_wr* request) {
    struct ibv_qp* near = make_queue_pair(bench);
    struct ibv_qp* far = make_queue_pair(bench);
    struct ibv_send_wr* bad;
    struct ibv_wc completion;
    int error = connect_queue_pair(&bench->device, far, near->qp_num);

    if (error == 0) error = connect_queue_pair(&bench->device, near, far->qp_num);
    if (error == 0) error = ibv_post_send(near, request, &bad);
    if (error != 0) {
        say(what, error);
    } else {
        const uint64_t end = now_ns() + (uint64_t)kPatienceMs * 1000000;
        int count = 0;
        while (count == 0 && now_ns() < end) count = ibv_poll_cq(bench->cq, 1, &completion);
        printf("%s: %s\n", what,
               count == 1 ? ibv_wc_status_str(completion.status) : "no completion");
    }
    if (ibv_destroy_qp(near) != 0 || ibv_destroy_qp(far) != 0) fail_errno("ibv_destroy_qp");
}

static void regions_of_no_bytes(struct Bench* bench) {
    const int all = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ;
    struct ibv_mr* none = ibv_reg_mr(bench->pd, bench->memory + 100, 0, all);
    struct ibv_mr* some = ibv_reg_mr(bench->pd, bench->memory, kPage, all);

    if (none == NULL || some == NULL) {
        say("a region of no bytes", errno);
        if (some != NULL) ibv_dereg_mr(some);
        return;
    }
    for (uint32_t length = 0; length < 2; length++) {
        struct ibv_sge of_none = {(uintptr_t)bench->memory + 100, length, none->lkey};
        struct ibv_sge of_some = {(uintptr_t)bench->memory, length, some->lkey};
        struct ibv_send_wr request = {
            .sg_list = &of_some,
            .num_sge = 1,
            .opcode = IBV_WR_RDMA_WRITE,
            .wr.rdma = {.remote_addr = (uintptr_t)bench->memory + 100, .rkey = none->rkey}};
        char what[64];

        snprintf(what, sizeof(what), "%u bytes written to a region of none", length);
        run(bench, what, &request);
        request.opcode = IBV_WR_RDMA_READ;
        snprintf(what, sizeof(what), "%u bytes read from a region of none", length);
        run(bench, what, &request);
        request.sg_list = &of_none;
        request.wr.rdma.remote_addr = (uintptr_t)bench->memory;
        request.wr.rdma.rkey = some->rkey;
        snprintf(what, sizeof(what), "%u bytes read into a region of none", length);
        run(bench, what, &request);
        request.opcode = IBV_WR_RDMA_WRITE;
        snprintf(what, sizeof(what), "%u bytes written from a region of none", length);
        run(bench, what, &request);
    }
    if (ibv_dereg_mr(none) != 0 || ibv_dereg_mr(some) != 0) fail_errno("ibv_dereg_mr");
}

int main(int argc, char** argv) {
    if (argc != 2) refuse("usage: mr_edges DEVICE");
    const struct DeviceChoice choice = {.name = argv[1], .port = 1, .gid_index = kAnyGid};
    static struct Bench bench;

    setvbuf(stdout, NULL, _IOLBF, 0);
    bench.device = open_device(&choice);
    bench.pd = ibv_alloc_pd(bench.device.context);
    bench.cq = ibv_create_cq(bench.device.context, 2 * kQueueDepth, NULL, NULL, 0);
    if (bench.pd == NULL || bench.cq == NULL) fail_errno("cannot create a domain and a queue");
    bench.memory = mmap(NULL, (size_t)(kPages + 1) * kPage, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bench.memory == MAP_FAILED) fail_errno("mmap");
    if (mprotect(bench.memory + (size_t)kPages * kPage, kPage, PROT_NONE) != 0) {
        fail_errno("mprotect");
    }
    rights(&bench);
    lengths(&bench);
    kinds(&bench);
    reregistering(&bench);
    other_verbs(&bench);
    forked(&bench);
    regions_of_no_bytes(&bench);
    if (ibv_destroy_cq(bench.cq) != 0 || ibv_dealloc_pd(bench.pd) != 0) {
        fail_errno("cannot destroy a queue and a domain");
    }
    close_device(&bench.device);
    return 0;
}
