// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/ethernet/send_frames.h"

#include "connectx/ethernet/headers.h"
#include "connectx/log.h"
#include "connectx/network.h"

// Places in a request (struct mlx5_wqe_eth_seg of <linux/mlx5/qp.h> is behind the control segment).
enum {
    kChecksumFlags = 20,
    kNetworkChecksum = 1 << 6,
    kTransportChecksum = 1 << 7,
    kSegmentSize = 22,
    kInlineSize = 28,
    kInline = 30,
    kMostFrame = kRequestBytes + 64 * KiB,
};

// Places in TCP's header.
enum {
    kSequence = 4,
    kDataOffset = 12,
    kFlags = 13,
    kOnlyFirst = 0x80,        // CWR
    kOnlyLast = 0x01 | 0x08,  // FIN, PSH
};

static bool refuse(Connectx* nic, const Qp* queue, const Request* request, const char* what,
                   uint64_t value) {
    log_violation(nic, "SQ %#x: request %u: %s (%" PRIu64 ")", queue->number, request->index, what,
                  value);
    return false;
}

static void fill_checksums(uint8_t* frame, const Headers* headers, uint8_t flags) {
    if (flags & kNetworkChecksum) {
        checksum_network(frame, headers);
    }
    if (flags & kTransportChecksum) {
        checksum_transport(frame, headers);
    }
}

static void send_whole(Connectx* nic, uint8_t* frame, size_t size, uint8_t flags) {
    Headers headers;

    if (headers_parse(frame, size, &headers)) {
        fill_checksums(frame, &headers, flags);
        network_send(nic, frame, size);
    }
}

// Makes the headers of a segment, which stand before its data, of those of the whole.
static void make_headers(uint8_t* segment, Headers* headers, size_t size, uint32_t offset,
                         unsigned number, bool last) {
    uint8_t* ip = segment + headers->network;
    uint8_t* tcp = segment + headers->transport;

    headers->end = size;
    if (headers->version == 4) {
        stw_be_p(ip + 2, size - headers->network);
        stw_be_p(ip + 4, lduw_be_p(ip + 4) + number);
    } else {
        stw_be_p(ip + 4, size - headers->network - headers->header_bytes);
    }
    stl_be_p(tcp + kSequence, ldl_be_p(tcp + kSequence) + offset);
    if (number > 0) {
        tcp[kFlags] &= ~kOnlyFirst;
    }
    if (!last) {
        tcp[kFlags] &= ~kOnlyLast;
    }
}

// The headers of a message that TCP would send in several segments.  The length in the IP header
// may be that of the whole, or 0 when it is too large for the field.
static bool parse_large(uint8_t* frame, size_t header_bytes, Headers* headers) {
    const uint8_t* tcp;

    // The network header's own length is what the headers have: so far, there are no data.
    if (!headers_parse(frame, header_bytes, headers)) {
        return false;
    }
    if (headers->type == kEtherIpv4) {
        stw_be_p(frame + headers->network + 2, header_bytes - headers->network);
    } else if (headers->type == kEtherIpv6 && header_bytes >= headers->network + 40) {
        stw_be_p(frame + headers->network + 4, header_bytes - headers->network - 40);
    }
    if (!headers_parse(frame, header_bytes, headers) || !headers->transport ||
        headers->protocol != kTcp) {
        return false;
    }
    tcp = frame + headers->transport;
    return headers->transport + (tcp[kDataOffset] >> 4) * 4 == header_bytes;
}

static bool send_segments(Connectx* nic, const Qp* queue, const Request* request, uint8_t* frame,
                          size_t header_bytes, size_t size, uint8_t flags) {
    const unsigned most = lduw_be_p(request->bytes + kSegmentSize);
    g_autofree uint8_t* segment = NULL;
    Headers headers;
    unsigned number = 0;

    if (most == 0 || header_bytes + 4 > size || !parse_large(frame, header_bytes, &headers)) {
        return refuse(nic, queue, request, "no message of TCP, in segments of", most);
    }
    segment = g_malloc(header_bytes + most);
    for (size_t at = header_bytes; at < size; at += most) {
        const size_t part = MIN(most, size - at);
        Headers own = headers;

        memcpy(segment, frame, header_bytes);
        memcpy(segment + header_bytes, frame + at, part);
        make_headers(segment, &own, header_bytes + part, at - header_bytes, number++,
                     at + part == size);
        fill_checksums(segment, &own, flags);
        network_send(nic, segment, header_bytes + part);
    }
    return true;
}

bool send_frames(Connectx* nic, const Qp* queue, const Request* request) {
    const size_t inline_bytes = lduw_be_p(request->bytes + kInlineSize);
    const size_t size = inline_bytes + request->length;
    const uint8_t flags = request->bytes[kChecksumFlags];
    g_autofree uint8_t* frame = NULL;

    if (kInline + inline_bytes > request->end) {
        return refuse(nic, queue, request, "more headers than its size", inline_bytes);
    }
    if (size < kEthernetHeader || size > kMostFrame) {
        return refuse(nic, queue, request, "no length of a frame", size);
    }
    frame = g_malloc(size);
    memcpy(frame, request->bytes + kInline, inline_bytes);
    if (!request_copy(nic, queue, request, 0, frame + inline_bytes, request->length, kReadMemory)) {
        return refuse(nic, queue, request, "its memory is not that of a key", request->length);
    }
    if (request->opcode == kLargeSend) {
        return send_segments(nic, queue, request, frame, inline_bytes, size, flags);
    }
    send_whole(nic, frame, size, flags);
    return true;
}
