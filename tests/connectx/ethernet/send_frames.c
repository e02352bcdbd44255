// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/ethernet/send_frames.h"

#include "connectx/frames/segments.h"
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

static bool refuse(Connectx* nic, const Qp* queue, const Request* request, const char* what,
                   uint64_t value) {
    log_violation(nic, "SQ %#x: request %u: %s (%" PRIu64 ")", queue->number, request->index, what,
                  value);
    return false;
}

static void send_frame(void* nic, const uint8_t* frame, size_t size) {
    network_send(nic, frame, size);
}

bool send_frames(Connectx* nic, const Qp* queue, const Request* request) {
    const size_t inline_bytes = lduw_be_p(request->bytes + kInlineSize);
    const size_t size = inline_bytes + request->length;
    const uint8_t flags = request->bytes[kChecksumFlags];
    const Checksums checksums = {flags & kNetworkChecksum, flags & kTransportChecksum};
    const unsigned most = lduw_be_p(request->bytes + kSegmentSize);
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
    if (request->opcode != kLargeSend) {
        frame_send(frame, size, checksums, send_frame, nic);
    } else if (!segments_send(frame, inline_bytes, size, most, checksums, send_frame, nic)) {
        return refuse(nic, queue, request, "no message of TCP, in segments of", most);
    }
    return true;
}
