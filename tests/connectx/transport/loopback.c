// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// Moves messages between queue pairs of this adapter: at once, whole, in order, without frames.
#include "connectx/log.h"
#include "connectx/objects/cq.h"
#include "connectx/port.h"
#include "connectx/transport/failure.h"
#include "connectx/transport/requester.h"
#include "connectx/transport/responder.h"
#include "connectx/transport/transport.h"

enum {
    kPiece = 64 * KiB,  // that messages are copied in
    kSlice = 256,       // requests in one go: meanwhile nothing else of QEMU runs
    kRetryMicroseconds = 200,
    kForEver = 7,  // rnr_retry that has no end
    kGrh = 40,
    kAtomicBytes = 8,
};

// Flags in a completion beside the sender's number.
enum { kHasGrh = 1 << 28, kL3Shift = 24, kL3Ipv6 = 1, kL3Ipv4 = 2 };

// What has become of a request.
typedef struct {
    bool later;  // the peer has no receive request
    Syndrome syndrome;
    uint32_t bytes;
} Result;

static Result done(Syndrome syndrome) {
    return (Result){.syndrome = syndrome};
}

static void run_again(Connectx* nic, Qp* qp, int64_t microseconds) {
    qp->waits = true;
    timer_mod(nic->retry, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + microseconds * SCALE_US);
}

// Fills a receive request with what a request sends.  The syndromes of both ends.
static Syndrome copy_message(Connectx* nic, const Qp* qp, Request* request, Receive* receive,
                             Syndrome* received) {
    g_autofree uint8_t* piece = g_malloc(kPiece);

    *received = kSuccess;
    for (uint64_t left = request->length; left > 0 && *received == kSuccess;) {
        const size_t part = MIN(left, kPiece);

        if (!request_copy(nic, qp, request, piece, part, kReadMemory)) {
            return kLocalProtection;
        }
        *received = responder_fill(nic, receive, piece, part);
        left -= part;
    }
    return kSuccess;
}

static unsigned arrival_of(uint8_t opcode) {
    switch (opcode) {
        case kWriteImmediate:
            return kCqeWriteImmediate;
        case kSendImmediate:
            return kCqeSendImmediate;
        case kSendInvalidate:
            return kCqeSendInvalidate;
        default:
            return kCqeSend;
    }
}

static Arrival arrival(const Connectx* nic, const Qp* qp, const Request* request) {
    return (Arrival){
        .opcode = arrival_of(request->opcode),
        .immediate = request->immediate,
        .solicited = request->solicited,
        .source = qp->number,
        .lid = nic->ethernet ? 0 : kLid,
    };
}

static void send_datagram(Connectx* nic, const Qp* qp, Qp* peer, Request* request,
                          Syndrome* syndrome) {
    const uint8_t* gid = request->path + kPathGid;
    const uint32_t flow = ldl_be_p(request->path + kPathGidAndFlow);
    const bool ipv4 = nic->ethernet && port_gid_is_ipv4(gid);
    Arrival what = arrival(nic, qp, request);
    uint8_t grh[kGrh];
    Receive receive;
    Syndrome received;

    *syndrome = kSuccess;
    if (!responder_take(nic, peer, &receive)) {
        return;
    }
    port_make_grh(nic, grh, flow >> 20 & 0xff, gid, request->length);
    received = responder_fill(nic, &receive, grh, sizeof(grh));
    if (received == kSuccess) {
        *syndrome = copy_message(nic, qp, request, &receive, &received);
    }
    if (*syndrome != kSuccess) {
        responder_complete(nic, peer, &receive, kLocalOperation, 0, NULL);
        return;
    }
    what.source = qp->type == kGsi ? 1 : qp->number;
    if (nic->ethernet) {
        what.source |= kHasGrh | (ipv4 ? kL3Ipv4 : kL3Ipv6) << kL3Shift;
    } else if (flow & kPathHasGrh) {
        what.source |= kHasGrh;
    }
    what.with_pkey = true;
    what.pkey = kDefaultPkey;
    responder_complete(nic, peer, &receive, received, request->length + kGrh, &what);
}

// Whether a datagram finds its peer; the reason why not is in the log.
static bool reaches(Connectx* nic, const Qp* qp, const Request* request, const Qp* peer,
                    uint32_t target) {
    const uint8_t* gid = request->path + kPathGid;
    const uint32_t given = ldl_be_p(request->path + kPathQkey);
    // A key with the highest bit stands for that of the sender's queue pair (IBA 10.2.5).
    const uint32_t qkey = given & 0x80000000 && qp->type == kUd ? QPC(qp, q_key) : given;

    if (!peer || !qp_is_datagram(peer) || !qp_receives(peer)) {
        log_say(nic, "QP %#x: datagram for QP %#x, which takes none", qp->number, target);
        return false;
    }
    if (nic->ethernet && !port_has_gid(nic, gid)) {
        log_say(nic, "QP %#x: datagram to %02x%02x..%02x%02x%02x%02x, which is not here",
                qp->number, gid[0], gid[1], gid[12], gid[13], gid[14], gid[15]);
        return false;
    }
    if (!nic->ethernet && lduw_be_p(request->path + kPathLid) != kLid) {
        log_say(nic, "QP %#x: datagram to LID %#x, which is not here", qp->number,
                lduw_be_p(request->path + kPathLid));
        return false;
    }
    if (peer->type == kUd && qkey != QPC(peer, q_key)) {
        log_say(nic, "QP %#x: datagram with key %#x to QP %#x, which has %#x", qp->number, qkey,
                peer->number, QPC(peer, q_key));
        return false;
    }
    return true;
}

static Result datagram(Connectx* nic, const Qp* qp, Request* request) {
    const uint32_t number = ldl_be_p(request->path + kPathQp) & kNumberMask;
    const uint32_t target = number == 1 ? nic->objects.gsi : number;
    Qp* peer = find_object(nic->objects.qps, target);
    Result result = done(kSuccess);

    if (reaches(nic, qp, request, peer, target)) {
        send_datagram(nic, qp, peer, request, &result.syndrome);
    }
    return result;
}

static Result send_message(Connectx* nic, const Qp* qp, Qp* peer, Request* request) {
    const Arrival what = arrival(nic, qp, request);
    Receive receive;
    Syndrome syndrome, received;

    if (!responder_take(nic, peer, &receive)) {
        return qp->type == kUc ? done(kSuccess) : (Result){.later = true};
    }
    syndrome = copy_message(nic, qp, request, &receive, &received);
    responder_complete(nic, peer, &receive, syndrome != kSuccess ? kLocalOperation : received,
                       request->length, &what);
    return done(syndrome != kSuccess                      ? syndrome
                : received != kSuccess && qp->type != kUc ? kRemoteOperation
                                                          : kSuccess);
}

static Result write_memory(Connectx* nic, const Qp* qp, Qp* peer, Request* request) {
    const Arrival what = arrival(nic, qp, request);
    const uint64_t length = request->length;
    g_autofree uint8_t* piece = g_malloc(kPiece);
    Receive receive;

    if (length > 0 && !responder_allows(nic, peer, request->remote_key, request->remote_address,
                                        length, kWriteMemory, kByRemote)) {
        return done(qp->type == kUc ? kSuccess : kRemoteAccess);
    }
    if (request->immediate && !responder_take(nic, peer, &receive)) {
        return qp->type == kUc ? done(kSuccess) : (Result){.later = true};
    }
    for (uint64_t at = 0; at < length;) {
        const size_t part = MIN(length - at, kPiece);

        if (!request_copy(nic, qp, request, piece, part, kReadMemory)) {
            if (request->immediate) {
                responder_complete(nic, peer, &receive, kLocalOperation, 0, NULL);
            }
            return done(kLocalProtection);
        }
        if (!mkey_copy(nic, peer->pd, request->remote_key, request->remote_address + at, piece,
                       part, kWriteMemory, kByRemote)) {
            return done(kRemoteOperation);
        }
        at += part;
    }
    if (request->immediate) {
        responder_complete(nic, peer, &receive, kSuccess, length, &what);
    }
    return done(kSuccess);
}

static Result read_memory(Connectx* nic, const Qp* qp, Qp* peer, Request* request) {
    const uint64_t length = request->length;
    g_autofree uint8_t* piece = g_malloc(kPiece);

    if (length > 0 && !responder_allows(nic, peer, request->remote_key, request->remote_address,
                                        length, kReadMemory, kByRemote)) {
        return done(kRemoteAccess);
    }
    for (uint64_t at = 0; at < length;) {
        const size_t part = MIN(length - at, kPiece);

        if (!mkey_copy(nic, peer->pd, request->remote_key, request->remote_address + at, piece,
                       part, kReadMemory, kByRemote)) {
            return done(kRemoteOperation);
        }
        if (!request_copy(nic, qp, request, piece, part, kWriteMemory)) {
            return done(kLocalProtection);
        }
        at += part;
    }
    return (Result){.bytes = length};
}

static Result atomic(Connectx* nic, const Qp* qp, Qp* peer, Request* request) {
    const uint32_t key = request->remote_key;
    const uint64_t address = request->remote_address;
    uint64_t old, now;

    if (address % kAtomicBytes) {
        qp_to_error(nic, peer);
        return done(kRemoteInvalid);
    }
    if (!responder_allows(nic, peer, key, address, kAtomicBytes, kWriteMemory, kByAtomic)) {
        return done(kRemoteAccess);
    }
    if (!mkey_copy(nic, peer->pd, key, address, &old, sizeof(old), kReadMemory, kByAtomic)) {
        return done(kRemoteOperation);
    }
    // The operands are numbers of the host, which is little-endian; the memory has one as well.
    if (request->opcode == kFetchAdd) {
        now = cpu_to_le64(le64_to_cpu(old) + request->swap_add);
    } else {
        now = le64_to_cpu(old) == request->compare ? cpu_to_le64(request->swap_add) : old;
    }
    if (!mkey_copy(nic, peer->pd, key, address, &now, sizeof(now), kWriteMemory, kByAtomic)) {
        return done(kRemoteOperation);
    }
    if (!request_copy(nic, qp, request, &old, sizeof(old), kWriteMemory)) {
        return done(kLocalProtection);
    }
    return (Result){.bytes = sizeof(old)};
}

// The other end of a connection, NULL if it does not answer.
static Qp* find_peer(Connectx* nic, const Qp* qp) {
    const uint8_t* path = IFC_AT(qpc, qp->context, primary_address_path);
    Qp* peer = find_object(nic->objects.qps, qp->remote);

    if (nic->ethernet ? !port_has_gid(nic, IFC_AT(ads, path, rgid_rip))
                      : IFC_GET(ads, path, rlid) != kLid) {
        log_say(nic, "QP %#x: its peer's address is not here", qp->number);
        return NULL;
    }
    if (!peer || !qp_receives(peer) || peer->type != qp->type || peer->remote != qp->number) {
        log_say(nic, "QP %#x: its peer %#x does not answer", qp->number, qp->remote);
        return NULL;
    }
    return peer;
}

static Result execute(Connectx* nic, Qp* qp, Request* request) {
    Qp* peer;

    if (request->opcode == kNop) {
        return done(kSuccess);
    }
    if (request->opcode == kChangeKey) {
        return done(request_change_key(nic, request) ? kSuccess : kLocalProtection);
    }
    if (qp_is_datagram(qp)) {
        return datagram(nic, qp, request);
    }
    peer = find_peer(nic, qp);
    if (!peer) {
        return done(qp->type == kUc ? kSuccess : kRetriesExceeded);
    }
    switch (request->opcode) {
        case kWrite:
        case kWriteImmediate:
            return write_memory(nic, qp, peer, request);
        case kRead:
            return read_memory(nic, qp, peer, request);
        case kCompareSwap:
        case kFetchAdd:
            return atomic(nic, qp, peer, request);
        default:
            return send_message(nic, qp, peer, request);
    }
}

// Waits for a receive request of the peer; false when the retries are used up.
static bool wait_for_receiver(Connectx* nic, Qp* qp) {
    const uint32_t most = QPC(qp, rnr_retry);

    if (most != kForEver && qp->rnr_retries++ >= most) {
        return false;
    }
    run_again(nic, qp, kRetryMicroseconds);
    return true;
}

void transport_run(Connectx* nic, Qp* qp) {
    Request request;

    if (!qp->has_sq || !qp->doorbell_record) {
        return;
    }
    if (qp->state == kError) {
        requester_flush(nic, qp);
        return;
    }
    qp->waits = false;
    for (int count = 0; qp->state == kRts && requester_take(nic, qp, &request); count++) {
        Result result;

        if (count == kSlice) {
            run_again(nic, qp, 0);
            return;
        }
        result = execute(nic, qp, &request);
        if (result.later) {
            if (wait_for_receiver(nic, qp)) {
                return;
            }
            result = done(kRnrRetriesExceeded);
        }
        requester_complete(nic, qp, &request, result.syndrome, result.bytes);
    }
}

void transport_tick(void* opaque) {
    Connectx* nic = opaque;
    GList* all = g_hash_table_get_values(nic->objects.qps);

    for (GList* each = all; each; each = each->next) {
        Qp* qp = each->data;

        if (qp->waits && !qp->frames) {
            transport_run(nic, qp);
        }
    }
    g_list_free(all);
}
