/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/*
 * Packets of the transport layer: base transport header, extended headers, payload and padding,
 * without what the carrier adds (LRH and GRH, or Ethernet, IP and UDP; the invariant CRC).
 * InfiniBand Architecture Specification, volume 1 ("IBA"), sections 9.2 to 9.4.
 */
#ifndef ROCE_PACKET_H
#define ROCE_PACKET_H

#include <infiniband/opcode.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    ROCE_SERVICE_MASK = 0xe0, /* of the opcode: IBV_OPCODE_RC, _UC, _UD or XRC */
    ROCE_OPERATION_MASK = 0x1f,
    ROCE_OPCODE_XRC = 0xa0,                /* IBA annex A14.3.2; <infiniband/opcode.h> lacks it */
    ROCE_SEND_LAST_WITH_INVALIDATE = 0x16, /* IBA table 38; lacking as well */
    ROCE_SEND_ONLY_WITH_INVALIDATE = 0x17,
    ROCE_MAX_PAYLOAD = 4096,
    ROCE_MAX_HEADERS = 12 + 4 + 28 + 4, /* base, XRC, atomic or RDMA, immediate */
    ROCE_MAX_PACKET = ROCE_MAX_HEADERS + ROCE_MAX_PAYLOAD,
    ROCE_PSN_MASK = 0xffffff,
    ROCE_QPN_MASK = 0xffffff,
};

/* What an opcode says of its packet. */
enum {
    ROCE_FIRST = 1 << 0, /* of a message: FIRST and ONLY */
    ROCE_LAST = 1 << 1,  /* LAST and ONLY */
    ROCE_SEND = 1 << 2,
    ROCE_WRITE = 1 << 3,
    ROCE_READ = 1 << 4,   /* a request */
    ROCE_ATOMIC = 1 << 5, /* a request */
    ROCE_RESPONSE = 1 << 6,
    ROCE_READ_RESPONSE = 1 << 7,
    ROCE_RETH = 1 << 8,
    ROCE_AETH = 1 << 9,
    ROCE_ATOMICETH = 1 << 10,
    ROCE_ATOMICACKETH = 1 << 11,
    ROCE_IMMEDIATE = 1 << 12,
    ROCE_INVALIDATE = 1 << 13,
    ROCE_DETH = 1 << 14,
    ROCE_XRCETH = 1 << 15,
};

/* The kinds of an AETH (IBA 9.7.5.1.1, table 44), in bits 6:5 of the syndrome, and NAK codes. */
enum {
    ROCE_SYNDROME_KIND = 0x60,
    ROCE_SYNDROME_VALUE = 0x1f,
    ROCE_SYNDROME_ACK = 0x00,
    ROCE_SYNDROME_RNR = 0x20,
    ROCE_SYNDROME_NAK = 0x60,
    ROCE_NO_CREDITS = 0x1f, /* IBA 9.7.7.2.2: the responder gives no credits */
    ROCE_NAK_SEQUENCE = 0x60,
    ROCE_NAK_INVALID_REQUEST = 0x61,
    ROCE_NAK_REMOTE_ACCESS = 0x62,
    ROCE_NAK_REMOTE_OPERATION = 0x63,
};

/* A packet.  Members of headers that the opcode does not have are not used. */
typedef struct RocePacket {
    uint8_t opcode;
    bool solicited, migrated, ack_request;
    uint16_t pkey;
    uint32_t dest_qpn, psn;
    uint64_t remote_address;    /* RETH, ATOMICETH */
    uint32_t rkey, dma_length;  /* RETH, the key also ATOMICETH */
    uint64_t swap_add, compare; /* ATOMICETH */
    uint8_t syndrome;           /* AETH */
    uint32_t msn;
    uint64_t original;         /* ATOMICACKETH */
    uint32_t qkey, source_qpn; /* DETH */
    uint8_t immediate[4];      /* as the application wrote it */
    uint32_t invalidate_rkey;  /* IETH */
    uint32_t srq_number;       /* XRCETH */
    const uint8_t* payload;    /* without padding */
    size_t size;
} RocePacket;

/* ROCE_FIRST to ROCE_XRCETH of an opcode; 0 for one that its service does not have. */
unsigned roce_opcode_parts(uint8_t opcode);

/* The bytes of all headers of such a packet. */
size_t roce_headers_size(uint8_t opcode);

/*
 * Takes a packet apart.  False for what is none: too short, another version of the header, an
 * opcode that is none, more padding than payload.  `packet` points into `bytes`.
 */
bool roce_packet_parse(const uint8_t* bytes, size_t size, RocePacket* packet);

/*
 * Writes the headers before a payload of `packet->size` bytes, which is at
 * `bytes + roce_headers_size()` already, and the padding after it.  `bytes` has room for
 * ROCE_MAX_PACKET.  Returns the size of the whole, a multiple of 4.
 */
size_t roce_packet_finish(const RocePacket* packet, uint8_t* bytes);

/* How far PSN (or MSN) `a` is after `b`, in the 24-bit circle: negative when it is before. */
static inline int32_t roce_psn_distance(uint32_t a, uint32_t b) {
    const uint32_t apart = (a - b) & ROCE_PSN_MASK;

    return apart & 0x800000 ? (int32_t)apart - 0x1000000 : (int32_t)apart;
}

#ifdef __cplusplus
}
#endif

#endif
