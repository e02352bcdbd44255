// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What a program can try with its uverbs file beyond what libibverbs would do: mapping what is
// another context's, pointers to nowhere in private bytes, private bytes of a wrong length.
// A shared receive queue that grows takes the same paths: librxe puts a pointer into its private
// bytes.  Knows rxe's private bytes (<rdma/rdma_user_rxe.h>).
// With a second argument it also tries what the kernel's own rxe does not survive.
#include <errno.h>
#include <infiniband/verbs.h>
#include <rdma/ib_user_verbs.h>
#include <rdma/rdma_user_rxe.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "endpoint.h"
#include "tool.h"

enum {
    kPage = 4096,
    kWord = 4,  // bytes; uverbs commands count in these
    kCqEntries = 16,
    kFewRequests = 16,
    kManyRequests = 200,
    kForbiddenAddress = kPage,
};

struct CreateCq {
    struct ib_uverbs_cmd_hdr header;
    struct ib_uverbs_create_cq command;
};

struct CreateCqAnswer {
    struct ib_uverbs_create_cq_resp core;
    struct rxe_create_cq_resp rxe;
    __u64 beyond[64];
};

struct ModifySrq {
    struct ib_uverbs_cmd_hdr header;
    struct ib_uverbs_modify_srq command;
    struct rxe_modify_srq_cmd rxe;
};

static struct ibv_context* open_again(const char* name) {
    int count = 0;
    struct ibv_device** list = ibv_get_device_list(&count);
    struct ibv_context* context = NULL;

    for (int i = 0; list != NULL && i < count; i++) {
        if (strcmp(ibv_get_device_name(list[i]), name) == 0) {
            context = ibv_open_device(list[i]);
            break;
        }
    }
    if (list != NULL) {
        ibv_free_device_list(list);
    }
    if (context == NULL) {
        fail("cannot open '%s'", name);
    }
    return context;
}

// Creates a CQ by a raw command with room for `private_bytes` of the driver's answer.  Returns 0 or
// an errno.
static int create_cq(struct ibv_context* context, size_t private_bytes,
                     struct CreateCqAnswer* answer) {
    struct CreateCq request = {
        .header = {.command = IB_USER_VERBS_CMD_CREATE_CQ,
                   .in_words = sizeof(request) / kWord,
                   .out_words = (__u16)((sizeof(answer->core) + private_bytes) / kWord)},
        .command = {.response = (uintptr_t)answer, .cqe = kCqEntries, .comp_channel = -1},
    };

    memset(answer, 0, sizeof(*answer));
    return write(context->cmd_fd, &request, sizeof(request)) == sizeof(request) ? 0 : errno;
}

static int try_mmap(struct ibv_context* context, __u64 offset, size_t length) {
    void* mapped =
        mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, context->cmd_fd, (off_t)offset);

    if (mapped == MAP_FAILED) {
        return errno;
    }
    munmap(mapped, length);
    return 0;
}

static void expect(int error, int wanted, const char* what) {
    if (error != wanted) {
        fail("%s: %s instead of %s", what, strerror(error), strerror(wanted));
    }
    printf("%s: %s\n", what, strerror(error));
}

static size_t whole_pages(size_t bytes) {
    return (bytes + kPage - 1) / kPage * kPage;
}

static void mapping(struct ibv_context* mine, struct ibv_context* other) {
    struct CreateCqAnswer answer;

    expect(create_cq(other, sizeof(answer.rxe), &answer), 0, "a queue of another context");
    const size_t length = whole_pages(answer.rxe.mi.size);
    expect(try_mmap(mine, answer.rxe.mi.offset, length), EINVAL,
           "mapping what is another context's");
    expect(try_mmap(mine, (__u64)1 << 40, kPage), EINVAL, "mapping what nobody has");
    expect(try_mmap(other, answer.rxe.mi.offset, 2 * length), EINVAL,
           "mapping more than the queue");
    expect(try_mmap(other, answer.rxe.mi.offset, length), 0, "mapping it by its own context");
    // The kernel's rxe takes this, vrdmad does not.
    printf("room for more private bytes than rxe has: %s\n",
           strerror(create_cq(mine, sizeof(answer.beyond), &answer)));
}

static struct ibv_srq* create_srq(struct ibv_pd* pd) {
    struct ibv_srq_init_attr attributes = {.attr = {.max_wr = kFewRequests, .max_sge = 1}};
    struct ibv_srq* srq = ibv_create_srq(pd, &attributes);

    if (srq == NULL) {
        fail_errno("ibv_create_srq");
    }
    return srq;
}

static int modify_srq_with_pointer(struct ibv_srq* srq, __u64 pointer) {
    struct ModifySrq request = {
        .header = {.command = IB_USER_VERBS_CMD_MODIFY_SRQ, .in_words = sizeof(request) / kWord},
        .command = {.srq_handle = srq->handle,
                    .attr_mask = IBV_SRQ_MAX_WR,
                    .max_wr = 2 * kManyRequests},
        .rxe = {.mmap_info_addr = pointer},
    };

    return write(srq->context->cmd_fd, &request, sizeof(request)) == sizeof(request) ? 0 : errno;
}

static void growing(struct ibv_pd* pd, int fatal) {
    struct ibv_srq* srq = create_srq(pd);
    struct ibv_srq_attr attributes = {.max_wr = kManyRequests};
    struct ibv_recv_wr request = {.wr_id = 1};
    struct ibv_recv_wr* bad;

    if (fatal) {
        expect(modify_srq_with_pointer(srq, kForbiddenAddress), EFAULT, "a pointer to no memory");
    }
    if (ibv_modify_srq(srq, &attributes, IBV_SRQ_MAX_WR) != 0) {
        fail_errno("ibv_modify_srq");
    }
    for (int i = 0; i < kManyRequests; i++) {
        if (ibv_post_srq_recv(srq, &request, &bad) != 0) {
            fail("the shared receive queue takes %d requests instead of %d", i, kManyRequests);
        }
    }
    if (ibv_query_srq(srq, &attributes) != 0 || attributes.max_wr < kManyRequests) {
        fail("the shared receive queue has %u entries instead of %d", attributes.max_wr,
             kManyRequests);
    }
    printf("a shared receive queue that grows: %u entries\n", attributes.max_wr);
    if (fatal) {
        attributes.max_wr = kFewRequests;
        expect(ibv_modify_srq(srq, &attributes, IBV_SRQ_MAX_WR), EINVAL,
               "a shared receive queue that shrinks below what it holds");
    }
    if (ibv_destroy_srq(srq) != 0) {
        fail_errno("ibv_destroy_srq");
    }
}

int main(int argc, char** argv) {
    if (argc != 2 && argc != 3) {
        refuse("usage: uverbs_edges DEVICE [fatal]");
    }
    struct ibv_context* mine = open_again(argv[1]);
    struct ibv_context* other = open_again(argv[1]);
    struct ibv_pd* pd = ibv_alloc_pd(mine);

    if (pd == NULL) {
        fail_errno("ibv_alloc_pd");
    }
    mapping(mine, other);
    growing(pd, argc == 3);
    if (ibv_dealloc_pd(pd) != 0) {
        fail_errno("ibv_dealloc_pd");
    }
    ibv_close_device(other);
    ibv_close_device(mine);
    return 0;
}
