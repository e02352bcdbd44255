// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// RDMA WRITEs without end from one queue pair to another, by a program that watches
// everything a program can watch: completions, completion events, asynchronous events, and
// what each verb returns.  It ends with a sentence about the first thing that goes wrong.
// Its queue pairs retry a few times only; perftest's and libibverbs' own programs ask for
// seven retries, which the kernel's rxe takes for "for ever".
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "endpoint.h"
#include "tool.h"

enum {
    kMessageBytes = 65536,
    kDepth = 4,
    kPsn = 0x100,
    kHopLimit = 64,
    kRetries = 3,
    kPollsPerLook = 256,
    kNsPerSecond = 1000000000,
};

struct Options {
    struct DeviceChoice device;
    const char* tcp_port;
    const char* server;  // NULL: this is the server
    bool events;
};

// The message with which one side tells the other how to reach it.
struct Address {
    uint32_t queue_pair;
    uint32_t rkey;
    uint64_t buffer;
    union ibv_gid gid;
    uint64_t lid;  // on InfiniBand
};

struct Stream {
    struct RdmaDevice device;
    struct ibv_pd* pd;
    struct ibv_comp_channel* channel;
    struct ibv_cq* cq;
    struct ibv_qp* qp;
    struct ibv_mr* mr;
    struct Address peer;
    bool events;
};

static void usage(void) {
    puts(
        "usage: rdma_stream --device NAME --gid-index N --tcp-port N [--events] [SERVER]\n"
        "\n"
        "Without SERVER, waits for a client; with it, writes to that server until something\n"
        "goes wrong, and says how many messages have been written every second.\n"
        "\n"
        "  --events   wait for completion events instead of polling");
}

static struct Options parse(int argc, char** argv) {
    static const struct option kOptions[] = {
        {"device", required_argument, NULL, 'd'},   {"gid-index", required_argument, NULL, 'g'},
        {"tcp-port", required_argument, NULL, 'p'}, {"events", no_argument, NULL, 'e'},
        {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0},
    };
    struct Options options = {.device = {.port = 1, .gid_index = kAnyGid}};
    int option;
    while ((option = getopt_long(argc, argv, "", kOptions, NULL)) != -1) {
        switch (option) {
            case 'd':
                options.device.name = optarg;
                break;
            case 'g':
                options.device.gid_index = (int)parse_number("--gid-index", optarg, 0, 255);
                break;
            case 'p':
                options.tcp_port = optarg;
                break;
            case 'e':
                options.events = true;
                break;
            case 'h':
                usage();
                exit(0);
            default:
                refuse_as_said();
        }
    }
    if (options.tcp_port == NULL) refuse("--tcp-port is missing");
    if (optind < argc) options.server = argv[optind];
    return options;
}

static struct Stream make_stream(const struct Options* options) {
    struct Stream stream = {.device = open_device(&options->device), .events = options->events};
    stream.pd = ibv_alloc_pd(stream.device.context);
    if (stream.pd == NULL) fail_errno("cannot allocate a protection domain");
    stream.channel = ibv_create_comp_channel(stream.device.context);
    if (stream.channel == NULL) fail_errno("cannot create a completion channel");
    stream.cq = ibv_create_cq(stream.device.context, 2 * kDepth, NULL, stream.channel, 0);
    if (stream.cq == NULL) fail_errno("cannot create a completion queue");
    struct ibv_qp_init_attr attributes = {
        .send_cq = stream.cq,
        .recv_cq = stream.cq,
        .cap = {.max_send_wr = kDepth, .max_recv_wr = 1, .max_send_sge = 1, .max_recv_sge = 1},
        .qp_type = IBV_QPT_RC,
        .sq_sig_all = 1,
    };
    stream.qp = ibv_create_qp(stream.pd, &attributes);
    if (stream.qp == NULL) fail_errno("cannot create a queue pair");
    void* buffer = calloc(1, kMessageBytes);
    if (buffer == NULL) fail_errno("cannot allocate a buffer");
    stream.mr = ibv_reg_mr(stream.pd, buffer, kMessageBytes,
                           IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE);
    if (stream.mr == NULL) fail_errno("cannot register the buffer");
    return stream;
}

static int listen_for_one(const char* port) {
    const struct addrinfo hints = {
        .ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo* address;
    const int error = getaddrinfo(NULL, port, &hints, &address);
    if (error != 0) fail("TCP port %s: %s", port, gai_strerror(error));
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, address->ai_addr, address->ai_addrlen) != 0 ||
        listen(listener, 1) != 0) {
        fail_errno("cannot listen on TCP port %s", port);
    }
    freeaddrinfo(address);
    const int connection = accept(listener, NULL, NULL);
    if (connection < 0) fail_errno("cannot accept a connection");
    close(listener);
    return connection;
}

static int connect_to(const char* server, const char* port) {
    const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo* address;
    const int error = getaddrinfo(server, port, &hints, &address);
    if (error != 0) fail("%s: %s", server, gai_strerror(error));
    const int connection = socket(AF_INET, SOCK_STREAM, 0);
    if (connection < 0 || connect(connection, address->ai_addr, address->ai_addrlen) != 0) {
        fail_errno("cannot connect to %s", server);
    }
    freeaddrinfo(address);
    return connection;
}

// Both sides run on the same kind of machine, so the structure goes as it is.
static void exchange_addresses(struct Stream* stream, int connection) {
    const struct Address own = {
        .queue_pair = stream->qp->qp_num,
        .rkey = stream->mr->rkey,
        .buffer = (uintptr_t)stream->mr->addr,
        .gid = stream->device.gid,
        .lid = stream->device.attributes.lid,
    };
    if (send(connection, &own, sizeof own, MSG_NOSIGNAL) != (ssize_t)sizeof own ||
        recv(connection, &stream->peer, sizeof stream->peer, MSG_WAITALL) !=
            (ssize_t)sizeof stream->peer) {
        fail("the other side ended before it was connected");
    }
}

static void modify(const struct Stream* stream, struct ibv_qp_attr attr, int mask) {
    errno = ibv_modify_qp(stream->qp, &attr, mask | IBV_QP_STATE);
    if (errno != 0) fail_errno("cannot connect the queue pair");
}

static void connect_queue_pairs(const struct Stream* stream) {
    modify(stream,
           (struct ibv_qp_attr){.qp_state = IBV_QPS_INIT,
                                .port_num = stream->device.port,
                                .qp_access_flags = IBV_ACCESS_REMOTE_WRITE},
           IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS);
    modify(stream,
           (struct ibv_qp_attr){.qp_state = IBV_QPS_RTR,
                                .path_mtu = stream->device.attributes.active_mtu,
                                .dest_qp_num = stream->peer.queue_pair,
                                .rq_psn = kPsn,
                                .ah_attr = {.is_global = 1,
                                            .dlid = (uint16_t)stream->peer.lid,
                                            .port_num = stream->device.port,
                                            .grh = {.dgid = stream->peer.gid,
                                                    .sgid_index = (uint8_t)stream->device.gid_index,
                                                    .hop_limit = kHopLimit}}},
           IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |
               IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER);
    modify(stream,
           (struct ibv_qp_attr){.qp_state = IBV_QPS_RTS,
                                .sq_psn = kPsn,
                                .timeout = 14,
                                .retry_cnt = kRetries,
                                .rnr_retry = kRetries},
           IBV_QP_SQ_PSN | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
               IBV_QP_MAX_QP_RD_ATOMIC);
}

// Takes one event, and ends the program if it says that the device or the queue pair is lost.
static void take_asynchronous_event(const struct Stream* stream) {
    struct ibv_async_event event;
    if (ibv_get_async_event(stream->device.context, &event) != 0) {
        fail_errno("cannot read asynchronous events");
    }
    const enum ibv_event_type type = event.event_type;
    printf("event: %s\n", ibv_event_type_str(type));
    ibv_ack_async_event(&event);
    if (type == IBV_EVENT_DEVICE_FATAL) fail("the device is gone");
    if (type == IBV_EVENT_QP_FATAL || type == IBV_EVENT_QP_ACCESS_ERR) {
        fail("the queue pair has failed");
    }
}

static void take_completion_event(const struct Stream* stream) {
    struct ibv_cq* cq;
    void* context;
    if (ibv_get_cq_event(stream->channel, &cq, &context) != 0) {
        fail_errno("cannot read completion events");
    }
    ibv_ack_cq_events(cq, 1);
    errno = ibv_req_notify_cq(stream->cq, 0);
    if (errno != 0) fail_errno("cannot arm the completion queue");
}

// Waits for something of the device or, unless it is -1, of the connection.
static void wait_for_device(const struct Stream* stream, int connection, int timeout) {
    struct pollfd ready[] = {
        {.fd = stream->device.context->async_fd, .events = POLLIN},
        {.fd = stream->events ? stream->channel->fd : -1, .events = POLLIN},
        {.fd = connection, .events = POLLIN},
    };
    if (poll(ready, sizeof ready / sizeof ready[0], timeout) < 0) fail_errno("cannot wait");
    if (ready[0].revents != 0) take_asynchronous_event(stream);
    if (ready[1].revents != 0) take_completion_event(stream);
    if (ready[2].revents != 0) {
        puts("the other side has ended");
        exit(0);
    }
}

static void post_write(const struct Stream* stream) {
    struct ibv_sge sge = {
        .addr = (uintptr_t)stream->mr->addr, .length = kMessageBytes, .lkey = stream->mr->lkey};
    struct ibv_send_wr wr = {
        .sg_list = &sge,
        .num_sge = 1,
        .opcode = IBV_WR_RDMA_WRITE,
        .wr.rdma = {.remote_addr = stream->peer.buffer, .rkey = stream->peer.rkey},
    };
    struct ibv_send_wr* bad;
    errno = ibv_post_send(stream->qp, &wr, &bad);
    if (errno != 0) fail_errno("cannot post a send request");
}

// The number of messages that have been written since the last call.
static uint64_t take_completions(const struct Stream* stream) {
    struct ibv_wc completions[kDepth];
    const int count = ibv_poll_cq(stream->cq, kDepth, completions);
    if (count < 0) fail("cannot poll the completion queue");
    for (int i = 0; i < count; ++i) {
        if (completions[i].status != IBV_WC_SUCCESS) {
            fail("completion status %d (%s)", completions[i].status,
                 ibv_wc_status_str(completions[i].status));
        }
    }
    return (uint64_t)count;
}

static void write_for_ever(const struct Stream* stream) {
    uint64_t written = 0;
    uint64_t vain_polls = 0;
    uint64_t report_at = now_ns() + kNsPerSecond;
    errno = stream->events ? ibv_req_notify_cq(stream->cq, 0) : 0;
    if (errno != 0) fail_errno("cannot arm the completion queue");
    for (int i = 0; i < kDepth; ++i) post_write(stream);
    for (;;) {
        const uint64_t count = take_completions(stream);
        for (uint64_t i = 0; i < count; ++i) post_write(stream);
        written += count;
        if (now_ns() >= report_at) {
            printf("%llu messages\n", (unsigned long long)written);
            report_at = now_ns() + kNsPerSecond;
        }
        if (count != 0) continue;
        if (stream->events) {
            wait_for_device(stream, -1, 1000);
        } else if (++vain_polls % kPollsPerLook == 0) {
            wait_for_device(stream, -1, 0);
        } else {
            sched_yield();
        }
    }
}

int main(int argc, char** argv) {
    const struct Options options = parse(argc, argv);
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct Stream stream = make_stream(&options);
    const int connection = options.server == NULL ? listen_for_one(options.tcp_port)
                                                  : connect_to(options.server, options.tcp_port);
    exchange_addresses(&stream, connection);
    connect_queue_pairs(&stream);
    // Nobody writes before both are connected.
    char connected = 1;
    if (send(connection, &connected, 1, MSG_NOSIGNAL) != 1 ||
        recv(connection, &connected, 1, MSG_WAITALL) != 1) {
        fail("the other side ended before it was connected");
    }
    puts("connected");
    if (options.server != NULL) write_for_ever(&stream);
    for (;;) wait_for_device(&stream, connection, -1);
}
