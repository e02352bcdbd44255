// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "fake_host.h"

#include "connectx/adapter.h"
#include "connectx/bar.h"
#include "connectx/commands/table.h"
#include "connectx/log.h"
#include "connectx/network.h"

enum {
    kSteps = 100000,
    kLogEqSize = 6,
    kUserIndex = 0x1234,
    kQkey = 0x11111111,
    kMtu1024 = 3,
    kPageListMode = 1,
    kPageShift = 12,
    kDefaultRetries = 7,
    kRnrTimer = 12,
    kAckTimeout = 8,
};

struct FakeHost {
    Connectx nic;
    uint8_t* memory;
    size_t used;
    char* log;
    size_t log_size;
};

typedef struct {
    const Connectx* from;
    size_t size;
    uint8_t bytes[];
} Frame;

static GList* hosts;
static GQueue flying = G_QUEUE_INIT;

// network.h: frames that wait for the next step of fake_host_run().
void network_init(Connectx* nic, const NetworkUser* user) {
    nic->network.user = user;
}

void network_reset(Connectx* nic) {
    (void)nic;
}

void network_free(Connectx* nic) {
    (void)nic;
}

void network_mac(const Connectx* nic, uint8_t mac[kMac]) {
    memset(mac, 0, kMac);
    mac[kMac - 1] = (uint8_t)nic->guid;
}

bool network_ready(const Connectx* nic) {
    (void)nic;
    return true;
}

void network_send(Connectx* nic, const uint8_t* bytes, size_t size) {
    Frame* frame = g_malloc(sizeof(*frame) + size);

    frame->from = nic;
    frame->size = size;
    memcpy(frame->bytes, bytes, size);
    g_queue_push_tail(&flying, frame);
}

static bool deliver(void) {
    Frame* frame = g_queue_pop_head(&flying);

    if (!frame) {
        return false;
    }
    for (GList* link = hosts; link; link = link->next) {
        Connectx* nic = &((FakeHost*)link->data)->nic;

        if (nic != frame->from) {
            nic->busy = true;
            nic->network.user->receive(nic, frame->bytes, frame->size);
            nic->busy = false;
        }
    }
    g_free(frame);
    return true;
}

bool fake_host_run(void) {
    for (int step = 0; step < kSteps; step++) {
        if (!deliver() && fake_qemu_run(1)) {
            return true;
        }
    }
    return false;
}

FakeHost* fake_host_new(uint16_t lid) {
    FakeHost* host = g_new0(FakeHost, 1);
    Connectx* nic = &host->nic;

    host->memory = g_malloc0(kFakeMemory);
    host->used = kFakePage;  // address 0 stands for none
    nic->parent_obj = (PCIDevice){.memory = host->memory, .size = kFakeMemory};
    nic->lid = lid;
    nic->guid = UINT64_C(0x5054000300090000) + lid;
    nic->blueflame = true;
    nic->log = open_memstream(&host->log, &host->log_size);
    adapter_init(nic);
    adapter_reset(nic);
    hosts = g_list_append(hosts, host);
    return host;
}

void fake_host_free(FakeHost* host) {
    Frame* frame;

    while ((frame = g_queue_pop_head(&flying))) {
        g_free(frame);
    }
    hosts = g_list_remove(hosts, host);
    adapter_free(&host->nic);
    fclose(host->nic.log);
    free(host->log);
    g_free(host->memory);
    g_free(host);
}

uint8_t* fake_host_memory(FakeHost* host) {
    return host->memory;
}

uint64_t fake_host_pages(FakeHost* host, unsigned count) {
    const uint64_t at = host->used;

    host->used += (size_t)count * kFakePage;
    g_assert_cmpuint(host->used, <=, kFakeMemory);
    return at;
}

void fake_host_gid(const FakeHost* host, uint8_t gid[16]) {
    stq_be_p(gid, UINT64_C(0xfe80000000000000));
    stq_be_p(gid + 8, host->nic.guid);
}

unsigned fake_host_violations(const FakeHost* host) {
    return host->nic.violations;
}

const char* fake_host_log(FakeHost* host) {
    fflush(host->nic.log);
    return host->log;
}

unsigned fake_host_interrupts(const FakeHost* host) {
    return host->nic.parent_obj.interrupts;
}

unsigned fake_host_command(FakeHost* host, uint8_t* in, size_t in_size, uint8_t* out,
                           size_t out_size) {
    Command command = {
        .operation = (unsigned)lduw_be_p(in),
        .modifier = (unsigned)lduw_be_p(in + 6),
        .in = g_malloc0(in_size + kSlack),
        .out = g_malloc0(out_size + kSlack),
        .in_length = in_size,
        .out_length = out_size,
    };
    const Operation* operation = find_operation(command.operation);
    Status status = kBadOperation;

    memcpy(command.in, in, in_size);
    if (operation && in_size >= operation->in && out_size >= operation->out) {
        status = operation->handler(&host->nic, &command);
    }
    memcpy(out, command.out, out_size);
    g_free(command.in);
    g_free(command.out);
    return status;
}

// A command that has to succeed.
static void must(FakeHost* host, unsigned operation, uint8_t* in, size_t in_size, uint8_t* out,
                 size_t out_size) {
    unsigned status;

    stw_be_p(in, (uint16_t)operation);
    status = fake_host_command(host, in, in_size, out, out_size);
    if (status != kOk) {
        fprintf(stderr, "operation %#x: status %#x\n%s", operation, status, fake_host_log(host));
        abort();
    }
}

#define MUST(host, operation, layout, in, out)                                        \
    must(host, MLX5_CMD_OP_##operation, in, sizeof(in), out, sizeof(out));            \
    G_STATIC_ASSERT(sizeof(in) >= IFC_BYTES(layout##_in)); /* NOLINT: of the array */ \
    G_STATIC_ASSERT(sizeof(out) >= IFC_BYTES(layout##_out))

uint32_t fake_host_uar(FakeHost* host) {
    uint8_t in[IFC_BYTES(alloc_uar_in)] = {0}, out[IFC_BYTES(alloc_uar_out)];

    MUST(host, ALLOC_UAR, alloc_uar, in, out);
    return (uint32_t)IFC_GET(alloc_uar_out, out, uar);
}

uint32_t fake_host_pd(FakeHost* host) {
    uint8_t in[IFC_BYTES(alloc_pd_in)] = {0}, out[IFC_BYTES(alloc_pd_out)];

    MUST(host, ALLOC_PD, alloc_pd, in, out);
    return (uint32_t)IFC_GET(alloc_pd_out, out, pd);
}

// Writes a list of pages behind a command.
static void list(uint8_t* at, uint64_t first, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        stq_be_p(at + sizeof(uint64_t) * i, first + (uint64_t)i * kFakePage);
    }
}

enum { kMostPages = 64, kListBytes = kMostPages * 8 };

static unsigned pages_of(uint64_t bytes) {
    const unsigned count = (unsigned)DIV_ROUND_UP(bytes, kFakePage);

    g_assert_cmpuint(count, <=, kMostPages);
    return count;
}

uint32_t fake_host_eq(FakeHost* host, uint32_t uar, uint64_t* ring) {
    uint8_t in[IFC_BYTES(create_eq_in) + kListBytes] = {0}, out[IFC_BYTES(create_eq_out)];
    uint8_t* context = IFC_AT(create_eq_in, in, eq_context_entry);
    enum { kArm = 0x40 };
    uint32_t number;

    *ring = fake_host_pages(host, 1);
    // A driver gives every entry to the adapter first.
    for (unsigned i = 0; i < 1u << kLogEqSize; i++) {
        host->memory[*ring + UINT64_C(64) * i + 63] = 1;
    }
    IFC_SET(eqc, context, log_eq_size, kLogEqSize);
    IFC_SET(eqc, context, uar_page, uar);
    memset(IFC_AT(create_eq_in, in, event_bitmask), 0xff, IFC_LEN(create_eq_in, event_bitmask) / 8);
    list(in + IFC_OFF(create_eq_in, pas) / 8, *ring, 1);
    MUST(host, CREATE_EQ, create_eq, in, out);
    number = (uint32_t)IFC_GET(create_eq_out, out, eq_number);
    fake_host_write(host, (uint64_t)uar * kFakePage + kArm, number << 24, 4);
    return number;
}

FakeCq fake_host_cq(FakeHost* host, uint32_t uar, uint32_t eq, unsigned log_size,
                    bool may_overrun) {
    uint8_t in[IFC_BYTES(create_cq_in) + kListBytes] = {0}, out[IFC_BYTES(create_cq_out)];
    uint8_t* context = IFC_AT(create_cq_in, in, cq_context);
    const unsigned pages = pages_of(UINT64_C(64) << log_size);
    FakeCq cq = {.log_size = log_size};

    cq.ring = fake_host_pages(host, pages);
    cq.record = fake_host_pages(host, 1);
    IFC_SET(cqc, context, log_cq_size, log_size);
    IFC_SET(cqc, context, uar_page, uar);
    IFC_SET(cqc, context, c_eqn_or_apu_element, eq);
    IFC_SET(cqc, context, oi, may_overrun);
    IFC_SET(cqc, context, dbr_addr, cq.record);
    list(in + IFC_OFF(create_cq_in, pas) / 8, cq.ring, pages);
    MUST(host, CREATE_CQ, create_cq, in, out);
    cq.number = (uint32_t)IFC_GET(create_cq_out, out, cqn);
    // A driver gives every entry to the adapter first.
    for (unsigned i = 0; i < 1u << log_size; i++) {
        host->memory[cq.ring + UINT64_C(64) * i + 63] = 0xf1;
    }
    return cq;
}

uint32_t fake_host_key(FakeHost* host, uint32_t pd, uint64_t at, unsigned pages, unsigned access) {
    uint8_t in[IFC_BYTES(create_mkey_in) + kListBytes] = {0}, out[IFC_BYTES(create_mkey_out)];
    uint8_t* context = IFC_AT(create_mkey_in, in, memory_key_mkey_entry);
    enum { kVariant = 0x5a };

    g_assert_cmpuint(pages, <=, kMostPages);
    IFC_SET(mkc, context, access_mode_1_0, kPageListMode);
    IFC_SET(mkc, context, lr, 1);
    IFC_SET(mkc, context, lw, access & kFakeLocalWrite ? 1 : 0);
    IFC_SET(mkc, context, rr, access & kFakeRemoteRead ? 1 : 0);
    IFC_SET(mkc, context, rw, access & kFakeRemoteWrite ? 1 : 0);
    IFC_SET(mkc, context, a, access & kFakeAtomic ? 1 : 0);
    IFC_SET(mkc, context, qpn, 0xffffff);
    IFC_SET(mkc, context, mkey_7_0, kVariant);
    IFC_SET(mkc, context, pd, pd);
    IFC_SET(mkc, context, start_addr, at);
    IFC_SET(mkc, context, len, (uint64_t)pages * kFakePage);
    IFC_SET(mkc, context, log_page_size, kPageShift);
    list(in + IFC_OFF(create_mkey_in, klm_pas_mtt) / 8, at, pages);
    MUST(host, CREATE_MKEY, create_mkey, in, out);
    return (uint32_t)IFC_GET(create_mkey_out, out, mkey_index) << 8 | kVariant;
}

FakeQp fake_host_qp(FakeHost* host, unsigned type, uint32_t uar, uint32_t pd, uint32_t cq,
                    unsigned sq_log, unsigned rq_log) {
    uint8_t in[IFC_BYTES(create_qp_in) + kListBytes] = {0}, out[IFC_BYTES(create_qp_out)];
    uint8_t* context = IFC_AT(create_qp_in, in, qpc);
    const unsigned pages = pages_of((UINT64_C(64) << rq_log) + (UINT64_C(64) << sq_log));
    enum { kStride64 = 2 };
    FakeQp qp = {.uar = uar, .sq_log = sq_log, .rq_log = rq_log};

    qp.rq = fake_host_pages(host, pages);
    qp.sq = qp.rq + (UINT64_C(64) << rq_log);
    qp.record = fake_host_pages(host, 1);
    IFC_SET(qpc, context, st, type);
    IFC_SET(qpc, context, pd, pd);
    IFC_SET(qpc, context, log_rq_size, rq_log);
    IFC_SET(qpc, context, log_rq_stride, kStride64);
    IFC_SET(qpc, context, log_sq_size, sq_log);
    IFC_SET(qpc, context, uar_page, uar);
    IFC_SET(qpc, context, cqn_snd, cq);
    IFC_SET(qpc, context, cqn_rcv, cq);
    IFC_SET(qpc, context, user_index, kUserIndex);
    IFC_SET(qpc, context, dbr_addr, qp.record);
    list(in + IFC_OFF(create_qp_in, pas) / 8, qp.rq, pages);
    MUST(host, CREATE_QP, create_qp, in, out);
    qp.number = (uint32_t)IFC_GET(create_qp_out, out, qpn);
    return qp;
}

static void move(FakeHost* host, const FakeQp* qp, unsigned operation, const FakePath* path) {
    uint8_t in[IFC_BYTES(rst2init_qp_in)] = {0}, out[IFC_BYTES(rst2init_qp_out)];
    uint8_t* context = IFC_AT(rst2init_qp_in, in, qpc);
    uint8_t* address = IFC_AT(qpc, context, primary_address_path);

    IFC_SET(rst2init_qp_in, in, qpn, qp->number);
    IFC_SET(qpc, context, rre, 1);
    IFC_SET(qpc, context, rwe, 1);
    IFC_SET(qpc, context, rae, 1);
    IFC_SET(qpc, context, q_key, kQkey);
    IFC_SET(qpc, context, mtu, kMtu1024);
    IFC_SET(qpc, context, remote_qpn, path->qpn);
    IFC_SET(qpc, context, min_rnr_nak, kRnrTimer);
    IFC_SET(qpc, context, retry_count, kDefaultRetries);
    IFC_SET(qpc, context, log_sra_max, 2);
    IFC_SET(qpc, context, log_rra_max, 2);
    IFC_SET(ads, address, rlid, path->lid);
    IFC_SET(ads, address, grh, path->global);
    IFC_SET(ads, address, hop_limit, 1);
    IFC_SET(ads, address, ack_timeout, kAckTimeout);
    memcpy(IFC_AT(ads, address, rgid_rip), path->gid, sizeof(path->gid));
    must(host, operation, in, sizeof(in), out, sizeof(out));
}

void fake_host_connect(FakeHost* host, const FakeQp* qp, const FakePath* path) {
    move(host, qp, MLX5_CMD_OP_RST2INIT_QP, path);
    move(host, qp, MLX5_CMD_OP_INIT2RTR_QP, path);
    move(host, qp, MLX5_CMD_OP_RTR2RTS_QP, path);
}

unsigned fake_host_qp_state(FakeHost* host, const FakeQp* qp) {
    uint8_t in[IFC_BYTES(query_qp_in)] = {0}, out[IFC_BYTES(query_qp_out)];

    IFC_SET(query_qp_in, in, qpn, qp->number);
    MUST(host, QUERY_QP, query_qp, in, out);
    return (unsigned)IFC_GET(qpc, IFC_AT(query_qp_out, out, qpc), state);
}

void fake_host_destroy_qp(FakeHost* host, const FakeQp* qp) {
    uint8_t in[IFC_BYTES(destroy_qp_in)] = {0}, out[IFC_BYTES(destroy_qp_out)];

    IFC_SET(destroy_qp_in, in, qpn, qp->number);
    MUST(host, DESTROY_QP, destroy_qp, in, out);
}

void fake_host_join(FakeHost* host, const FakeQp* qp, const uint8_t gid[16]) {
    uint8_t in[IFC_BYTES(attach_to_mcg_in)] = {0}, out[IFC_BYTES(attach_to_mcg_out)];

    IFC_SET(attach_to_mcg_in, in, qpn, qp->number);
    memcpy(IFC_AT(attach_to_mcg_in, in, multicast_gid), gid, 16);
    MUST(host, ATTACH_TO_MCG, attach_to_mcg, in, out);
}

void fake_host_write(FakeHost* host, uint64_t at, uint64_t value, unsigned size) {
    kBarOps.write(&host->nic, at, value, size);
}
