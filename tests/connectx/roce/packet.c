/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
#include "packet.h"

#include <string.h>

#include "bytes.h"

enum {
    BTH_BYTES = 12,
    RETH_BYTES = 16,
    AETH_BYTES = 4,
    ATOMICETH_BYTES = 28,
    ATOMICACKETH_BYTES = 8,
    DETH_BYTES = 8,
    IMMDT_BYTES = 4,
    IETH_BYTES = 4,
    XRCETH_BYTES = 4,
};

/* IBA table 38. */
static const uint16_t operations[] = {
    [IBV_OPCODE_SEND_FIRST] = kRoceSend | kRoceFirst,
    [IBV_OPCODE_SEND_MIDDLE] = kRoceSend,
    [IBV_OPCODE_SEND_LAST] = kRoceSend | kRoceLast,
    [IBV_OPCODE_SEND_LAST_WITH_IMMEDIATE] = kRoceSend | kRoceLast | kRoceImmediate,
    [IBV_OPCODE_SEND_ONLY] = kRoceSend | kRoceFirst | kRoceLast,
    [IBV_OPCODE_SEND_ONLY_WITH_IMMEDIATE] = kRoceSend | kRoceFirst | kRoceLast | kRoceImmediate,
    [IBV_OPCODE_RDMA_WRITE_FIRST] = kRoceWrite | kRoceFirst | kRoceReth,
    [IBV_OPCODE_RDMA_WRITE_MIDDLE] = kRoceWrite,
    [IBV_OPCODE_RDMA_WRITE_LAST] = kRoceWrite | kRoceLast,
    [IBV_OPCODE_RDMA_WRITE_LAST_WITH_IMMEDIATE] = kRoceWrite | kRoceLast | kRoceImmediate,
    [IBV_OPCODE_RDMA_WRITE_ONLY] = kRoceWrite | kRoceFirst | kRoceLast | kRoceReth,
    [IBV_OPCODE_RDMA_WRITE_ONLY_WITH_IMMEDIATE] =
        kRoceWrite | kRoceFirst | kRoceLast | kRoceReth | kRoceImmediate,
    [IBV_OPCODE_RDMA_READ_REQUEST] = kRoceRead | kRoceFirst | kRoceLast | kRoceReth,
    [IBV_OPCODE_RDMA_READ_RESPONSE_FIRST] =
        kRoceResponse | kRoceReadResponse | kRoceFirst | kRoceAeth,
    [IBV_OPCODE_RDMA_READ_RESPONSE_MIDDLE] = kRoceResponse | kRoceReadResponse,
    [IBV_OPCODE_RDMA_READ_RESPONSE_LAST] =
        kRoceResponse | kRoceReadResponse | kRoceLast | kRoceAeth,
    [IBV_OPCODE_RDMA_READ_RESPONSE_ONLY] =
        kRoceResponse | kRoceReadResponse | kRoceFirst | kRoceLast | kRoceAeth,
    [IBV_OPCODE_ACKNOWLEDGE] = kRoceResponse | kRoceAeth,
    [IBV_OPCODE_ATOMIC_ACKNOWLEDGE] = kRoceResponse | kRoceAeth | kRoceAtomicacketh,
    [IBV_OPCODE_COMPARE_SWAP] = kRoceAtomic | kRoceFirst | kRoceLast | kRoceAtomiceth,
    [IBV_OPCODE_FETCH_ADD] = kRoceAtomic | kRoceFirst | kRoceLast | kRoceAtomiceth,
    [kRoceSendLastWithInvalidate] = kRoceSend | kRoceLast | kRoceInvalidate,
    [kRoceSendOnlyWithInvalidate] = kRoceSend | kRoceFirst | kRoceLast | kRoceInvalidate,
};

unsigned roce_opcode_parts(uint8_t opcode) {
    const unsigned operation = opcode & kRoceOperationMask;
    unsigned parts;

    if (operation >= sizeof(operations) / sizeof(operations[0])) {
        return 0;
    }
    parts = operations[operation];
    switch (opcode & kRoceServiceMask) {
        case IBV_OPCODE_RC:
            return parts;
        case IBV_OPCODE_UC:
            return parts & (kRoceSend | kRoceWrite) && !(parts & kRoceInvalidate) ? parts : 0;
        case IBV_OPCODE_UD:
            return operation == IBV_OPCODE_SEND_ONLY ||
                           operation == IBV_OPCODE_SEND_ONLY_WITH_IMMEDIATE
                       ? parts | kRoceDeth
                       : 0;
        case kRoceOpcodeXrc:
            /* IBA A14.3.2: each request names the shared receive queue. */
            return parts & kRoceResponse || !parts ? parts : parts | kRoceXrceth;
        default:
            return 0;
    }
}

static size_t parts_size(unsigned parts) {
    return BTH_BYTES + (parts & kRoceXrceth ? XRCETH_BYTES : 0) +
           (parts & kRoceDeth ? DETH_BYTES : 0) + (parts & kRoceReth ? RETH_BYTES : 0) +
           (parts & kRoceAeth ? AETH_BYTES : 0) + (parts & kRoceAtomiceth ? ATOMICETH_BYTES : 0) +
           (parts & kRoceAtomicacketh ? ATOMICACKETH_BYTES : 0) +
           (parts & kRoceImmediate ? IMMDT_BYTES : 0) + (parts & kRoceInvalidate ? IETH_BYTES : 0);
}

size_t roce_headers_size(uint8_t opcode) {
    return parts_size(roce_opcode_parts(opcode));
}

bool roce_packet_parse(const uint8_t* bytes, size_t size, RocePacket* packet) {
    const uint8_t* p = bytes;
    size_t headers, pad;
    unsigned parts;

    memset(packet, 0, sizeof(*packet));
    if (size < BTH_BYTES) {
        return false;
    }
    parts = roce_opcode_parts(p[0]);
    headers = parts_size(parts);
    pad = p[1] >> 4 & 3;
    /* IBA 9.2.2 to 9.2.5: version 0, and padding belongs to a payload. */
    if (!parts || (p[1] & 0xf) || size % 4 || size < headers + pad) {
        return false;
    }
    packet->opcode = p[0];
    packet->solicited = p[1] & 0x80;
    packet->migrated = p[1] & 0x40;
    packet->pkey = roce_get16(p + 2);
    packet->dest_qpn = roce_get24(p + 5);
    packet->ack_request = p[8] & 0x80;
    packet->psn = roce_get24(p + 9);
    p += BTH_BYTES;
    if (parts & kRoceXrceth) {
        packet->srq_number = roce_get24(p + 1);
        p += XRCETH_BYTES;
    }
    if (parts & kRoceDeth) {
        packet->qkey = roce_get32(p);
        packet->source_qpn = roce_get24(p + 5);
        p += DETH_BYTES;
    }
    if (parts & kRoceReth) {
        packet->remote_address = roce_get64(p);
        packet->rkey = roce_get32(p + 8);
        packet->dma_length = roce_get32(p + 12);
        p += RETH_BYTES;
    }
    if (parts & kRoceAeth) {
        packet->syndrome = p[0];
        packet->msn = roce_get24(p + 1);
        p += AETH_BYTES;
    }
    if (parts & kRoceAtomiceth) {
        packet->remote_address = roce_get64(p);
        packet->rkey = roce_get32(p + 8);
        packet->swap_add = roce_get64(p + 12);
        packet->compare = roce_get64(p + 20);
        p += ATOMICETH_BYTES;
    }
    if (parts & kRoceAtomicacketh) {
        packet->original = roce_get64(p);
        p += ATOMICACKETH_BYTES;
    }
    if (parts & kRoceImmediate) {
        memcpy(packet->immediate, p, IMMDT_BYTES);
        p += IMMDT_BYTES;
    }
    if (parts & kRoceInvalidate) {
        packet->invalidate_rkey = roce_get32(p);
    }
    packet->payload = bytes + headers;
    packet->size = size - headers - pad;
    return true;
}

size_t roce_packet_finish(const RocePacket* packet, uint8_t* bytes) {
    const unsigned parts = roce_opcode_parts(packet->opcode);
    const size_t end = parts_size(parts) + packet->size, pad = -packet->size & 3;
    uint8_t* p = bytes;

    p[0] = packet->opcode;
    p[1] = (uint8_t)((packet->solicited ? 0x80 : 0) | (packet->migrated ? 0x40 : 0) | pad << 4);
    roce_put16(p + 2, packet->pkey);
    p[4] = 0;
    roce_put24(p + 5, packet->dest_qpn);
    p[8] = packet->ack_request ? 0x80 : 0;
    roce_put24(p + 9, packet->psn);
    p += BTH_BYTES;
    if (parts & kRoceXrceth) {
        roce_put32(p, packet->srq_number & kRoceQpnMask);
        p += XRCETH_BYTES;
    }
    if (parts & kRoceDeth) {
        roce_put32(p, packet->qkey);
        roce_put32(p + 4, packet->source_qpn & kRoceQpnMask);
        p += DETH_BYTES;
    }
    if (parts & kRoceReth) {
        roce_put64(p, packet->remote_address);
        roce_put32(p + 8, packet->rkey);
        roce_put32(p + 12, packet->dma_length);
        p += RETH_BYTES;
    }
    if (parts & kRoceAeth) {
        p[0] = packet->syndrome;
        roce_put24(p + 1, packet->msn);
        p += AETH_BYTES;
    }
    if (parts & kRoceAtomiceth) {
        roce_put64(p, packet->remote_address);
        roce_put32(p + 8, packet->rkey);
        roce_put64(p + 12, packet->swap_add);
        roce_put64(p + 20, packet->compare);
        p += ATOMICETH_BYTES;
    }
    if (parts & kRoceAtomicacketh) {
        roce_put64(p, packet->original);
        p += ATOMICACKETH_BYTES;
    }
    if (parts & kRoceImmediate) {
        memcpy(p, packet->immediate, IMMDT_BYTES);
        p += IMMDT_BYTES;
    }
    if (parts & kRoceInvalidate) {
        roce_put32(p, packet->invalidate_rkey);
    }
    memset(bytes + end, 0, pad);
    return end + pad;
}
