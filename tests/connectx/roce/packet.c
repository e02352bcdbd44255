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
    [IBV_OPCODE_SEND_FIRST] = ROCE_SEND | ROCE_FIRST,
    [IBV_OPCODE_SEND_MIDDLE] = ROCE_SEND,
    [IBV_OPCODE_SEND_LAST] = ROCE_SEND | ROCE_LAST,
    [IBV_OPCODE_SEND_LAST_WITH_IMMEDIATE] = ROCE_SEND | ROCE_LAST | ROCE_IMMEDIATE,
    [IBV_OPCODE_SEND_ONLY] = ROCE_SEND | ROCE_FIRST | ROCE_LAST,
    [IBV_OPCODE_SEND_ONLY_WITH_IMMEDIATE] = ROCE_SEND | ROCE_FIRST | ROCE_LAST | ROCE_IMMEDIATE,
    [IBV_OPCODE_RDMA_WRITE_FIRST] = ROCE_WRITE | ROCE_FIRST | ROCE_RETH,
    [IBV_OPCODE_RDMA_WRITE_MIDDLE] = ROCE_WRITE,
    [IBV_OPCODE_RDMA_WRITE_LAST] = ROCE_WRITE | ROCE_LAST,
    [IBV_OPCODE_RDMA_WRITE_LAST_WITH_IMMEDIATE] = ROCE_WRITE | ROCE_LAST | ROCE_IMMEDIATE,
    [IBV_OPCODE_RDMA_WRITE_ONLY] = ROCE_WRITE | ROCE_FIRST | ROCE_LAST | ROCE_RETH,
    [IBV_OPCODE_RDMA_WRITE_ONLY_WITH_IMMEDIATE] =
        ROCE_WRITE | ROCE_FIRST | ROCE_LAST | ROCE_RETH | ROCE_IMMEDIATE,
    [IBV_OPCODE_RDMA_READ_REQUEST] = ROCE_READ | ROCE_FIRST | ROCE_LAST | ROCE_RETH,
    [IBV_OPCODE_RDMA_READ_RESPONSE_FIRST] =
        ROCE_RESPONSE | ROCE_READ_RESPONSE | ROCE_FIRST | ROCE_AETH,
    [IBV_OPCODE_RDMA_READ_RESPONSE_MIDDLE] = ROCE_RESPONSE | ROCE_READ_RESPONSE,
    [IBV_OPCODE_RDMA_READ_RESPONSE_LAST] =
        ROCE_RESPONSE | ROCE_READ_RESPONSE | ROCE_LAST | ROCE_AETH,
    [IBV_OPCODE_RDMA_READ_RESPONSE_ONLY] =
        ROCE_RESPONSE | ROCE_READ_RESPONSE | ROCE_FIRST | ROCE_LAST | ROCE_AETH,
    [IBV_OPCODE_ACKNOWLEDGE] = ROCE_RESPONSE | ROCE_AETH,
    [IBV_OPCODE_ATOMIC_ACKNOWLEDGE] = ROCE_RESPONSE | ROCE_AETH | ROCE_ATOMICACKETH,
    [IBV_OPCODE_COMPARE_SWAP] = ROCE_ATOMIC | ROCE_FIRST | ROCE_LAST | ROCE_ATOMICETH,
    [IBV_OPCODE_FETCH_ADD] = ROCE_ATOMIC | ROCE_FIRST | ROCE_LAST | ROCE_ATOMICETH,
    [ROCE_SEND_LAST_WITH_INVALIDATE] = ROCE_SEND | ROCE_LAST | ROCE_INVALIDATE,
    [ROCE_SEND_ONLY_WITH_INVALIDATE] = ROCE_SEND | ROCE_FIRST | ROCE_LAST | ROCE_INVALIDATE,
};

unsigned roce_opcode_parts(uint8_t opcode) {
    const unsigned operation = opcode & ROCE_OPERATION_MASK;
    unsigned parts;

    if (operation >= sizeof(operations) / sizeof(operations[0])) {
        return 0;
    }
    parts = operations[operation];
    switch (opcode & ROCE_SERVICE_MASK) {
        case IBV_OPCODE_RC:
            return parts;
        case IBV_OPCODE_UC:
            return parts & (ROCE_SEND | ROCE_WRITE) && !(parts & ROCE_INVALIDATE) ? parts : 0;
        case IBV_OPCODE_UD:
            return operation == IBV_OPCODE_SEND_ONLY ||
                           operation == IBV_OPCODE_SEND_ONLY_WITH_IMMEDIATE
                       ? parts | ROCE_DETH
                       : 0;
        case ROCE_OPCODE_XRC:
            /* IBA A14.3.2: each request names the shared receive queue. */
            return parts & ROCE_RESPONSE || !parts ? parts : parts | ROCE_XRCETH;
        default:
            return 0;
    }
}

static size_t parts_size(unsigned parts) {
    return BTH_BYTES + (parts & ROCE_XRCETH ? XRCETH_BYTES : 0) +
           (parts & ROCE_DETH ? DETH_BYTES : 0) + (parts & ROCE_RETH ? RETH_BYTES : 0) +
           (parts & ROCE_AETH ? AETH_BYTES : 0) + (parts & ROCE_ATOMICETH ? ATOMICETH_BYTES : 0) +
           (parts & ROCE_ATOMICACKETH ? ATOMICACKETH_BYTES : 0) +
           (parts & ROCE_IMMEDIATE ? IMMDT_BYTES : 0) + (parts & ROCE_INVALIDATE ? IETH_BYTES : 0);
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
    if (parts & ROCE_XRCETH) {
        packet->srq_number = roce_get24(p + 1);
        p += XRCETH_BYTES;
    }
    if (parts & ROCE_DETH) {
        packet->qkey = roce_get32(p);
        packet->source_qpn = roce_get24(p + 5);
        p += DETH_BYTES;
    }
    if (parts & ROCE_RETH) {
        packet->remote_address = roce_get64(p);
        packet->rkey = roce_get32(p + 8);
        packet->dma_length = roce_get32(p + 12);
        p += RETH_BYTES;
    }
    if (parts & ROCE_AETH) {
        packet->syndrome = p[0];
        packet->msn = roce_get24(p + 1);
        p += AETH_BYTES;
    }
    if (parts & ROCE_ATOMICETH) {
        packet->remote_address = roce_get64(p);
        packet->rkey = roce_get32(p + 8);
        packet->swap_add = roce_get64(p + 12);
        packet->compare = roce_get64(p + 20);
        p += ATOMICETH_BYTES;
    }
    if (parts & ROCE_ATOMICACKETH) {
        packet->original = roce_get64(p);
        p += ATOMICACKETH_BYTES;
    }
    if (parts & ROCE_IMMEDIATE) {
        memcpy(packet->immediate, p, IMMDT_BYTES);
        p += IMMDT_BYTES;
    }
    if (parts & ROCE_INVALIDATE) {
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
    if (parts & ROCE_XRCETH) {
        roce_put32(p, packet->srq_number & ROCE_QPN_MASK);
        p += XRCETH_BYTES;
    }
    if (parts & ROCE_DETH) {
        roce_put32(p, packet->qkey);
        roce_put32(p + 4, packet->source_qpn & ROCE_QPN_MASK);
        p += DETH_BYTES;
    }
    if (parts & ROCE_RETH) {
        roce_put64(p, packet->remote_address);
        roce_put32(p + 8, packet->rkey);
        roce_put32(p + 12, packet->dma_length);
        p += RETH_BYTES;
    }
    if (parts & ROCE_AETH) {
        p[0] = packet->syndrome;
        roce_put24(p + 1, packet->msn);
        p += AETH_BYTES;
    }
    if (parts & ROCE_ATOMICETH) {
        roce_put64(p, packet->remote_address);
        roce_put32(p + 8, packet->rkey);
        roce_put64(p + 12, packet->swap_add);
        roce_put64(p + 20, packet->compare);
        p += ATOMICETH_BYTES;
    }
    if (parts & ROCE_ATOMICACKETH) {
        roce_put64(p, packet->original);
        p += ATOMICACKETH_BYTES;
    }
    if (parts & ROCE_IMMEDIATE) {
        memcpy(p, packet->immediate, IMMDT_BYTES);
        p += IMMDT_BYTES;
    }
    if (parts & ROCE_INVALIDATE) {
        roce_put32(p, packet->invalidate_rkey);
    }
    memset(bytes + end, 0, pad);
    return end + pad;
}
