// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Everything at once between two programs, round after round without end: RDMA WRITE through a
// memory window, SEND into a shared receive queue, RDMA READ, both atomic operations, datagrams,
// and connections of librdmacm that come and go.  All data are checked, and so is that each work
// request completes once and in its turn.  The programs wait for events, so that one which is
// missed stops them.  Each ends with a sentence about the first thing that goes wrong.
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <infiniband/verbs.h>
#include <netdb.h>
#include <poll.h>
#include <rdma/rdma_cma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tool.h"

enum {
    kBlock = 16384,   // bytes of one RDMA WRITE or READ
    kMessage = 2048,  // bytes of one SEND
    kDatagram = 1024,
    kGrh = 40,  // bytes before a datagram
    kSlots = 8,
    kResolveMs = 10000,
    kReportNs = 1000000000,
    kBacklog = 4,
    kRoundsOfConnection = 4,  // a connection comes and goes in one of so many rounds
    kRetries = 3,
};

// What a work request is, in the upper half of its wr_id; the lower half counts.
enum Kind { kSend = 1, kReceive, kDatagramSend, kDatagramReceive };

// What the memory of one side is for.
struct Memory {
    uint8_t block[kBlock];    // the peer writes and reads here
    uint8_t fetched[kBlock];  // what a READ brought
    uint64_t counters[2];     // atomic operations of the peer's
    uint64_t old;             // what an atomic operation found
    uint8_t sent[kMessage];
    uint8_t received[kSlots][kMessage];
    uint8_t datagram[kDatagram];
    uint8_t datagrams[kSlots][kGrh + kDatagram];
};

// A message of the reliable connection; the rest of its bytes are a pattern.
struct Message {
    uint64_t round;
    uint64_t block;     // the address of the sender's Memory.block
    uint64_t counters;  // and of its counters
    uint32_t rkey;
    uint32_t block_rkey;  // the window's, or the region's
    uint32_t checksum;    // of the block
};

struct Side {
    struct rdma_event_channel* events;
    struct rdma_cm_id* listener;   // the server's
    struct rdma_cm_id* datagrams;  // listens, or is connected
    struct rdma_cm_id* id;         // the connection that stays
    struct ibv_pd* pd;
    struct ibv_comp_channel* channel;
    struct ibv_cq* cq;
    struct ibv_srq* srq;  // the server's
    struct ibv_mw* mw;    // or NULL
    struct ibv_mr* mr;
    struct Memory* memory;
    struct ibv_ah* ah;  // the client's, to the server
    uint32_t datagram_qp;
    uint32_t datagram_qkey;
    uint64_t posted[kDatagramReceive + 1];
    uint64_t completed[kDatagramReceive + 1];
};

struct Options {
    const char* address;  // the side's own
    const char* port;
    const char* server;  // NULL: this is the server
    bool datagrams;
};

static void usage(void) {
    puts(
        "usage: rdma_medley --address OWN --port N [--without-datagrams] [SERVER]\n"
        "\n"
        "Without SERVER, waits for a client; with it, sends to that server until something goes\n"
        "wrong, and says how many rounds there have been every second, as messages.\n"
        "\n"
        "  --without-datagrams  for adapters on which this address has none");
}

static struct Options parse(int argc, char** argv) {
    static const struct option kOptions[] = {
        {"address", required_argument, NULL, 'a'},
        {"port", required_argument, NULL, 'p'},
        {"without-datagrams", no_argument, NULL, 'w'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct Options options = {.datagrams = true};
    int option;
    while ((option = getopt_long(argc, argv, "", kOptions, NULL)) != -1) {
        switch (option) {
            case 'a':
                options.address = optarg;
                break;
            case 'p':
                (void)parse_number("--port", optarg, 1, UINT16_MAX);
                options.port = optarg;
                break;
            case 'w':
                options.datagrams = false;
                break;
            case 'h':
                usage();
                exit(0);
            default:
                refuse_as_said();
        }
    }
    if (options.address == NULL) refuse("--address is missing");
    if (options.port == NULL) refuse("--port is missing");
    if (optind < argc) options.server = argv[optind];
    return options;
}

static uint32_t checksum(const uint8_t* bytes, size_t size) {
    uint32_t sum = 2166136261;  // FNV-1a
    for (size_t i = 0; i < size; ++i) sum = (sum ^ bytes[i]) * 16777619;
    return sum;
}

static void fill(uint8_t* bytes, size_t size, uint64_t round) {
    uint64_t state = round * 2 + 1;
    for (size_t i = 0; i < size; ++i) {
        state = state * 6364136223846793005 + 1442695040888963407;
        bytes[i] = (uint8_t)(state >> 56);
    }
}

static bool is_filled(const uint8_t* bytes, size_t size, uint64_t round) {
    static uint8_t expected[kBlock];
    fill(expected, size, round);
    return memcmp(bytes, expected, size) == 0;
}

// Addresses.

static struct sockaddr_storage address_of(const char* name, const char* port) {
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo* found;
    const int error = getaddrinfo(name, port, &hints, &found);
    if (error != 0) fail("%s: %s", name, gai_strerror(error));
    struct sockaddr_storage address = {0};
    memcpy(&address, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return address;
}

// Objects.

static void make_objects(struct Side* side, struct ibv_context* verbs, bool receives_shared) {
    struct ibv_device_attr attributes;
    if (ibv_query_device(verbs, &attributes) != 0) fail_errno("cannot query the device");
    side->pd = ibv_alloc_pd(verbs);
    if (side->pd == NULL) fail_errno("cannot allocate a protection domain");
    side->channel = ibv_create_comp_channel(verbs);
    if (side->channel == NULL) fail_errno("cannot create a completion channel");
    side->cq = ibv_create_cq(verbs, 8 * kSlots, NULL, side->channel, 0);
    if (side->cq == NULL) fail_errno("cannot create a completion queue");
    errno = ibv_req_notify_cq(side->cq, 0);
    if (errno != 0) fail_errno("cannot arm the completion queue");
    if (receives_shared) {
        struct ibv_srq_init_attr attr = {.attr = {.max_wr = 2 * kSlots, .max_sge = 1}};
        side->srq = ibv_create_srq(side->pd, &attr);
        if (side->srq == NULL) fail_errno("cannot create a shared receive queue");
    }
    side->memory = calloc(1, sizeof *side->memory);
    if (side->memory == NULL) fail_errno("cannot allocate memory");
    int access = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ |
                 IBV_ACCESS_REMOTE_ATOMIC;
    if (attributes.max_mw > 0) access |= IBV_ACCESS_MW_BIND;
    side->mr = ibv_reg_mr(side->pd, side->memory, sizeof *side->memory, access);
    if (side->mr == NULL) fail_errno("cannot register memory");
    if (receives_shared && attributes.max_mw > 0) {
        side->mw = ibv_alloc_mw(side->pd, IBV_MW_TYPE_1);
        if (side->mw == NULL) fail_errno("cannot allocate a memory window");
    }
}

static void make_queue_pair(struct Side* side, struct rdma_cm_id* id, enum ibv_qp_type type) {
    struct ibv_qp_init_attr attributes = {
        .send_cq = side->cq,
        .recv_cq = side->cq,
        .srq = type == IBV_QPT_RC ? side->srq : NULL,
        .cap = {.max_send_wr = kSlots, .max_recv_wr = kSlots, .max_send_sge = 1, .max_recv_sge = 1},
        .qp_type = type,
        .sq_sig_all = 1,
    };
    if (rdma_create_qp(id, side->pd, &attributes) != 0) fail_errno("cannot create a queue pair");
}

static struct rdma_cm_id* make_id(struct Side* side, enum rdma_port_space space) {
    struct rdma_cm_id* id;
    if (rdma_create_id(side->events, &id, NULL, space) != 0) fail_errno("cannot create an id");
    return id;
}

static struct rdma_conn_param connection_of(const void* purpose) {
    return (struct rdma_conn_param){
        .private_data = purpose,
        .private_data_len = 1,
        .responder_resources = 1,
        .initiator_depth = 1,
        .retry_count = kRetries,
        .rnr_retry_count = kRetries,
    };
}

// Why a connection is made, in its private data.
static const char kToStay = 's';
static const char kToGo = 'g';

// Work requests.

static uint64_t next_id(struct Side* side, enum Kind kind) {
    return (uint64_t)kind << 32 | (side->posted[kind]++ & UINT32_MAX);
}

static struct ibv_sge element(const struct Side* side, void* address, uint32_t length) {
    return (struct ibv_sge){.addr = (uintptr_t)address, .length = length, .lkey = side->mr->lkey};
}

static void post_receive(struct Side* side) {
    struct ibv_sge sge =
        element(side, side->memory->received[side->posted[kReceive] % kSlots], kMessage);
    struct ibv_recv_wr wr = {.wr_id = next_id(side, kReceive), .sg_list = &sge, .num_sge = 1};
    struct ibv_recv_wr* bad;
    errno = side->srq != NULL ? ibv_post_srq_recv(side->srq, &wr, &bad)
                              : ibv_post_recv(side->id->qp, &wr, &bad);
    if (errno != 0) fail_errno("cannot post a receive request");
}

static void post_datagram_receive(struct Side* side) {
    struct ibv_sge sge = element(
        side, side->memory->datagrams[side->posted[kDatagramReceive] % kSlots], kGrh + kDatagram);
    struct ibv_recv_wr wr = {
        .wr_id = next_id(side, kDatagramReceive), .sg_list = &sge, .num_sge = 1};
    struct ibv_recv_wr* bad;
    errno = ibv_post_recv(side->datagrams->qp, &wr, &bad);
    if (errno != 0) fail_errno("cannot post a receive request for datagrams");
}

// Completions.

static void take_completion(struct Side* side, const struct ibv_wc* wc) {
    const enum Kind kind = (enum Kind)(wc->wr_id >> 32);
    if (wc->status != IBV_WC_SUCCESS) {
        fail("request %llx: completion status %d (%s)", (unsigned long long)wc->wr_id, wc->status,
             ibv_wc_status_str(wc->status));
    }
    if (kind < kSend || kind > kDatagramReceive ||
        (uint32_t)wc->wr_id != (uint32_t)side->completed[kind]) {
        fail("request %llx has completed, and not number %llu of its kind",
             (unsigned long long)wc->wr_id, (unsigned long long)side->completed[kind]);
    }
    ++side->completed[kind];
}

static bool take_completions(struct Side* side) {
    struct ibv_wc completions[kSlots];
    const int count = ibv_poll_cq(side->cq, kSlots, completions);
    if (count < 0) fail("cannot poll the completion queue");
    for (int i = 0; i < count; ++i) take_completion(side, &completions[i]);
    return count > 0;
}

static void take_completion_event(struct Side* side) {
    struct ibv_cq* cq;
    void* context;
    if (ibv_get_cq_event(side->channel, &cq, &context) != 0) {
        fail_errno("cannot read completion events");
    }
    ibv_ack_cq_events(cq, 1);
    errno = ibv_req_notify_cq(side->cq, 0);
    if (errno != 0) fail_errno("cannot arm the completion queue");
}

static void take_asynchronous_event(const struct Side* side) {
    struct ibv_async_event event;
    if (ibv_get_async_event(side->id->verbs, &event) != 0) {
        fail_errno("cannot read asynchronous events");
    }
    const enum ibv_event_type type = event.event_type;
    printf("event: %s\n", ibv_event_type_str(type));
    ibv_ack_async_event(&event);
    if (type == IBV_EVENT_DEVICE_FATAL || type == IBV_EVENT_QP_FATAL ||
        type == IBV_EVENT_QP_ACCESS_ERR) {
        fail("the device or a queue pair is lost");
    }
}

// The connection manager's events.

// Takes the next event, which has to be of this type and without an error, and acknowledges it.
// Its parameters go to `event`, unless that is NULL.
static struct rdma_cm_id* expect_event(struct Side* side, enum rdma_cm_event_type type,
                                       struct rdma_cm_event* event) {
    struct rdma_cm_event* taken;
    if (rdma_get_cm_event(side->events, &taken) != 0) {
        fail_errno("cannot read the connection manager's events");
    }
    if (taken->event != type || taken->status != 0) {
        // librdmacm makes an event of a verb of its own that has failed.
        fail_errno("%s (%d) came, and not %s", rdma_event_str(taken->event), taken->status,
                   rdma_event_str(type));
    }
    struct rdma_cm_id* const id = taken->id;
    if (event != NULL) *event = *taken;
    rdma_ack_cm_event(taken);
    return id;
}

static void end_connection(struct rdma_cm_id* id) {
    rdma_destroy_qp(id);
    if (rdma_destroy_id(id) != 0) fail_errno("cannot destroy an id");
}

// The server's: connections that come and go.
static void serve_event(struct Side* side) {
    struct rdma_cm_event* event;
    if (rdma_get_cm_event(side->events, &event) != 0) {
        fail_errno("cannot read the connection manager's events");
    }
    struct rdma_cm_id* const id = event->id;
    const enum rdma_cm_event_type type = event->event;
    const int status = event->status;
    const char purpose =
        type == RDMA_CM_EVENT_CONNECT_REQUEST && event->param.conn.private_data_len > 0
            ? *(const char*)event->param.conn.private_data
            : 0;
    rdma_ack_cm_event(event);
    switch (type) {
        case RDMA_CM_EVENT_CONNECT_REQUEST:
            if (id->qp_type == IBV_QPT_UD) {
                struct rdma_conn_param answer = {.qp_num = side->datagrams->qp->qp_num};
                if (rdma_accept(id, &answer) != 0) fail_errno("cannot accept datagrams");
            } else {
                struct rdma_conn_param answer = connection_of(&purpose);
                if (purpose != kToGo) fail("a connection for nothing");
                make_queue_pair(side, id, IBV_QPT_RC);
                if (rdma_accept(id, &answer) != 0) fail_errno("cannot accept a connection");
            }
            return;
        case RDMA_CM_EVENT_ESTABLISHED:
            return;
        case RDMA_CM_EVENT_DISCONNECTED:
            if (id == side->id) {
                puts("the other side has ended");
                exit(0);
            }
            if (rdma_disconnect(id) != 0) fail_errno("cannot disconnect");
            end_connection(id);
            return;
        case RDMA_CM_EVENT_TIMEWAIT_EXIT:
            return;
        default:
            fail("%s (%d)", rdma_event_str(type), status);
    }
}

// Waits until so many requests of a kind have completed.
static void wait_for(struct Side* side, enum Kind kind, uint64_t count) {
    while (side->completed[kind] < count) {
        if (take_completions(side)) continue;
        struct pollfd ready[] = {
            {.fd = side->channel->fd, .events = POLLIN},
            {.fd = side->id->verbs->async_fd, .events = POLLIN},
            {.fd = side->events->fd, .events = POLLIN},
        };
        if (poll(ready, sizeof ready / sizeof ready[0], -1) < 0) fail_errno("cannot wait");
        if (ready[0].revents != 0) take_completion_event(side);
        if (ready[1].revents != 0) take_asynchronous_event(side);
        if (ready[2].revents != 0) {
            if (side->listener != NULL) {
                serve_event(side);
            } else {
                expect_event(side, RDMA_CM_EVENT_DISCONNECTED, NULL);
                puts("the other side has ended");
                exit(0);
            }
        }
    }
}

// Posts a request of the reliable connection, and waits until it has completed.
static void send_and_wait(struct Side* side, struct ibv_send_wr* wr) {
    struct ibv_send_wr* bad;
    wr->wr_id = next_id(side, kSend);
    errno = ibv_post_send(side->id->qp, wr, &bad);
    if (errno != 0) fail_errno("cannot post a send request");
    wait_for(side, kSend, side->posted[kSend]);
}

static void send_message(struct Side* side, const struct Message* message) {
    uint8_t* const bytes = side->memory->sent;
    memcpy(bytes, message, sizeof *message);
    fill(bytes + sizeof *message, kMessage - sizeof *message, message->round);
    struct ibv_sge sge = element(side, bytes, kMessage);
    struct ibv_send_wr wr = {.sg_list = &sge, .num_sge = 1, .opcode = IBV_WR_SEND};
    send_and_wait(side, &wr);
}

// Waits for the next message, which has to be that of this round.
static struct Message receive_message(struct Side* side, uint64_t round) {
    const uint64_t number = side->posted[kReceive] - kSlots;  // the oldest that is posted
    wait_for(side, kReceive, number + 1);
    const uint8_t* const bytes = side->memory->received[number % kSlots];
    struct Message message;
    memcpy(&message, bytes, sizeof message);
    if (message.round != round) {
        fail("a message of round %llu came in round %llu", (unsigned long long)message.round,
             (unsigned long long)round);
    }
    if (!is_filled(bytes + sizeof message, kMessage - sizeof message, round)) {
        fail("the message of round %llu is damaged", (unsigned long long)round);
    }
    post_receive(side);
    return message;
}

// What the peer needs to know of this side.
static struct Message own_message(const struct Side* side, uint64_t round) {
    return (struct Message){
        .round = round,
        .block = (uintptr_t)side->memory->block,
        .counters = (uintptr_t)side->memory->counters,
        .rkey = side->mr->rkey,
        .block_rkey = side->mw != NULL ? side->mw->rkey : side->mr->rkey,
        .checksum = checksum(side->memory->block, kBlock),
    };
}

static void bind_window(struct Side* side) {
    if (side->mw == NULL) return;
    struct ibv_mw_bind bind = {
        .wr_id = next_id(side, kSend),
        .send_flags = IBV_SEND_SIGNALED,
        .bind_info = {.mr = side->mr,
                      .addr = (uintptr_t)side->memory->block,
                      .length = kBlock,
                      .mw_access_flags = IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ},
    };
    errno = ibv_bind_mw(side->id->qp, side->mw, &bind);
    if (errno != 0) fail_errno("cannot bind the memory window");
    wait_for(side, kSend, side->posted[kSend]);
}

// The server.

static void await_connection(struct Side* side) {
    struct rdma_cm_event request;
    side->id = expect_event(side, RDMA_CM_EVENT_CONNECT_REQUEST, &request);
    make_objects(side, side->id->verbs, true);
    make_queue_pair(side, side->id, IBV_QPT_RC);
    for (int i = 0; i < kSlots; ++i) post_receive(side);
    if (side->datagrams != NULL) {
        make_queue_pair(side, side->datagrams, IBV_QPT_UD);
        for (int i = 0; i < kSlots; ++i) post_datagram_receive(side);
    }
    struct rdma_conn_param answer = connection_of(&kToStay);
    if (rdma_accept(side->id, &answer) != 0) fail_errno("cannot accept the connection");
    expect_event(side, RDMA_CM_EVENT_ESTABLISHED, NULL);
}

static struct rdma_cm_id* listen_at(struct Side* side, const struct Options* options,
                                    enum rdma_port_space space) {
    struct sockaddr_storage own = address_of(options->address, options->port);
    struct rdma_cm_id* const id = make_id(side, space);
    if (rdma_bind_addr(id, (struct sockaddr*)&own) != 0 || rdma_listen(id, kBacklog) != 0) {
        fail_errno("cannot listen at port %s of %s", options->port, options->address);
    }
    return id;
}

static void take_datagram(struct Side* side, uint64_t round) {
    const uint64_t number = side->posted[kDatagramReceive] - kSlots;
    wait_for(side, kDatagramReceive, number + 1);
    if (!is_filled(side->memory->datagrams[number % kSlots] + kGrh, kDatagram, round)) {
        fail("the datagram of round %llu is damaged, or of another round",
             (unsigned long long)round);
    }
    post_datagram_receive(side);
}

static void serve(struct Side* side, const struct Options* options) {
    side->listener = listen_at(side, options, RDMA_PS_TCP);
    if (options->datagrams) side->datagrams = listen_at(side, options, RDMA_PS_UDP);
    puts("listening");
    await_connection(side);
    bind_window(side);
    struct Message own = own_message(side, 0);
    send_message(side, &own);
    for (uint64_t round = 1;; ++round) {
        const struct Message told = receive_message(side, round);
        const uint32_t found = checksum(side->memory->block, kBlock);
        if (found != told.checksum || !is_filled(side->memory->block, kBlock, round)) {
            fail("round %llu: what was written is damaged", (unsigned long long)round);
        }
        if (options->datagrams) take_datagram(side, round);
        fill(side->memory->block, kBlock, ~round);
        bind_window(side);
        own = own_message(side, round);
        send_message(side, &own);
    }
}

// The client.

static struct rdma_cm_id* resolve(struct Side* side, const struct Options* options,
                                  enum rdma_port_space space) {
    struct sockaddr_storage own = address_of(options->address, NULL);
    struct sockaddr_storage server = address_of(options->server, options->port);
    struct rdma_cm_id* const id = make_id(side, space);
    if (rdma_resolve_addr(id, (struct sockaddr*)&own, (struct sockaddr*)&server, kResolveMs) != 0) {
        fail_errno("cannot resolve %s", options->server);
    }
    expect_event(side, RDMA_CM_EVENT_ADDR_RESOLVED, NULL);
    if (rdma_resolve_route(id, kResolveMs) != 0) fail_errno("cannot resolve the route");
    expect_event(side, RDMA_CM_EVENT_ROUTE_RESOLVED, NULL);
    return id;
}

static void connect_id(struct Side* side, struct rdma_cm_id* id, const char* purpose,
                       struct rdma_cm_event* event) {
    struct rdma_conn_param request = connection_of(purpose);
    if (rdma_connect(id, &request) != 0) fail_errno("cannot connect");
    expect_event(side, RDMA_CM_EVENT_ESTABLISHED, event);
}

static void connect_datagrams(struct Side* side, const struct Options* options) {
    struct rdma_cm_event event;
    side->datagrams = resolve(side, options, RDMA_PS_UDP);
    make_queue_pair(side, side->datagrams, IBV_QPT_UD);
    connect_id(side, side->datagrams, &kToStay, &event);
    side->datagram_qp = event.param.ud.qp_num;
    side->datagram_qkey = event.param.ud.qkey;
    side->ah = ibv_create_ah(side->pd, &event.param.ud.ah_attr);
    if (side->ah == NULL) fail_errno("cannot create an address handle");
}

static void send_datagram(struct Side* side, uint64_t round) {
    fill(side->memory->datagram, kDatagram, round);
    struct ibv_sge sge = element(side, side->memory->datagram, kDatagram);
    struct ibv_send_wr wr = {
        .wr_id = next_id(side, kDatagramSend),
        .sg_list = &sge,
        .num_sge = 1,
        .opcode = IBV_WR_SEND,
        .wr.ud = {.ah = side->ah,
                  .remote_qpn = side->datagram_qp,
                  .remote_qkey = side->datagram_qkey},
    };
    struct ibv_send_wr* bad;
    errno = ibv_post_send(side->datagrams->qp, &wr, &bad);
    if (errno != 0) fail_errno("cannot send a datagram");
    wait_for(side, kDatagramSend, side->posted[kDatagramSend]);
}

// A connection comes and goes, with all of its events.
static void connect_and_disconnect(struct Side* side, const struct Options* options) {
    struct rdma_cm_id* const id = resolve(side, options, RDMA_PS_TCP);
    make_queue_pair(side, id, IBV_QPT_RC);
    connect_id(side, id, &kToGo, NULL);
    if (rdma_disconnect(id) != 0) fail_errno("cannot disconnect");
    expect_event(side, RDMA_CM_EVENT_DISCONNECTED, NULL);
    end_connection(id);
}

static void write_block(struct Side* side, const struct Message* peer, uint64_t round) {
    fill(side->memory->block, kBlock, round);
    struct ibv_sge sge = element(side, side->memory->block, kBlock);
    struct ibv_send_wr wr = {
        .sg_list = &sge,
        .num_sge = 1,
        .opcode = IBV_WR_RDMA_WRITE,
        .wr.rdma = {.remote_addr = peer->block, .rkey = peer->block_rkey},
    };
    send_and_wait(side, &wr);
}

static void read_block(struct Side* side, const struct Message* peer, uint64_t round) {
    struct ibv_sge sge = element(side, side->memory->fetched, kBlock);
    struct ibv_send_wr wr = {
        .sg_list = &sge,
        .num_sge = 1,
        .opcode = IBV_WR_RDMA_READ,
        .wr.rdma = {.remote_addr = peer->block, .rkey = peer->block_rkey},
    };
    send_and_wait(side, &wr);
    if (checksum(side->memory->fetched, kBlock) != peer->checksum ||
        !is_filled(side->memory->fetched, kBlock, ~round)) {
        fail("round %llu: what was read is damaged", (unsigned long long)round);
    }
}

// Each counter has counted the rounds so far.
static void count_round(struct Side* side, const struct Message* peer, uint64_t round,
                        enum ibv_wr_opcode opcode) {
    const uint64_t before = round - 1;
    const bool swaps = opcode == IBV_WR_ATOMIC_CMP_AND_SWP;
    struct ibv_sge sge = element(side, &side->memory->old, sizeof side->memory->old);
    struct ibv_send_wr wr = {
        .sg_list = &sge,
        .num_sge = 1,
        .opcode = opcode,
        .wr.atomic = {.remote_addr = peer->counters + (swaps ? sizeof(uint64_t) : 0),
                      .compare_add = swaps ? before : 1,
                      .swap = round,
                      .rkey = peer->rkey},
    };
    send_and_wait(side, &wr);
    if (side->memory->old != before) {
        fail("round %llu: an atomic operation found %llu", (unsigned long long)round,
             (unsigned long long)side->memory->old);
    }
}

static void send_for_ever(struct Side* side, const struct Options* options) {
    side->id = resolve(side, options, RDMA_PS_TCP);
    make_objects(side, side->id->verbs, false);
    make_queue_pair(side, side->id, IBV_QPT_RC);
    for (int i = 0; i < kSlots; ++i) post_receive(side);
    connect_id(side, side->id, &kToStay, NULL);
    struct Message peer = receive_message(side, 0);
    if (options->datagrams) connect_datagrams(side, options);
    puts("connected");
    uint64_t report_at = now_ns() + kReportNs;
    for (uint64_t round = 1;; ++round) {
        write_block(side, &peer, round);
        if (options->datagrams) send_datagram(side, round);
        struct Message own = own_message(side, round);
        send_message(side, &own);
        peer = receive_message(side, round);
        read_block(side, &peer, round);
        count_round(side, &peer, round, IBV_WR_ATOMIC_FETCH_AND_ADD);
        count_round(side, &peer, round, IBV_WR_ATOMIC_CMP_AND_SWP);
        if (round % kRoundsOfConnection == 0) connect_and_disconnect(side, options);
        if (now_ns() >= report_at) {
            printf("%llu messages\n", (unsigned long long)round);
            report_at = now_ns() + kReportNs;
        }
    }
}

int main(int argc, char** argv) {
    const struct Options options = parse(argc, argv);
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct Side side = {.events = rdma_create_event_channel()};
    if (side.events == NULL) fail_errno("cannot open the connection manager");
    if (options.server == NULL) {
        serve(&side, &options);
    } else {
        send_for_ever(&side, &options);
    }
}
