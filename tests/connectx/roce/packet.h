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
    kRoceServiceMask = 0xe0, /* of the opcode: IBV_OPCODE_RC, _UC, _UD or XRC */
    kRoceOperationMask = 0x1f,
    kRoceOpcodeXrc = 0xa0,              /* IBA annex A14.3.2; <infiniband/opcode.h> lacks it */
    kRoceSendLastWithInvalidate = 0x16, /* IBA table 38; lacking as well */
    kRoceSendOnlyWithInvalidate = 0x17,
    kRoceMaxPayload = 4096,
    kRoceMaxHeaders = 12 + 4 + 28 + 4, /* base, XRC, atomic or RDMA, immediate */
    kRoceMaxPacket = kRoceMaxHeaders + kRoceMaxPayload,
    kRocePsnMask = 0xffffff,
    kRoceQpnMask = 0xffffff,
};

/* What an opcode says of its packet. */
enum {
    kRoceFirst = 1 << 0, /* of a message: FIRST and ONLY */
    kRoceLast = 1 << 1,  /* LAST and ONLY */
    kRoceSend = 1 << 2,
    kRoceWrite = 1 << 3,
    kRoceRead = 1 << 4,   /* a request */
    kRoceAtomic = 1 << 5, /* a request */
    kRoceResponse = 1 << 6,
    kRoceReadResponse = 1 << 7,
    kRoceReth = 1 << 8,
    kRoceAeth = 1 << 9,
    kRoceAtomiceth = 1 << 10,
    kRoceAtomicacketh = 1 << 11,
    kRoceImmediate = 1 << 12,
    kRoceInvalidate = 1 << 13,
    kRoceDeth = 1 << 14,
    kRoceXrceth = 1 << 15,
};

/* The kinds of an AETH (IBA 9.7.5.1.1, table 44), in bits 6:5 of the syndrome, and NAK codes. */
enum {
    kRoceSyndromeKind = 0x60,
    kRoceSyndromeValue = 0x1f,
    kRoceSyndromeAck = 0x00,
    kRoceSyndromeRnr = 0x20,
    kRoceSyndromeNak = 0x60,
    kRoceNoCredits = 0x1f, /* IBA 9.7.7.2.2: the responder gives no credits */
    kRoceNakSequence = 0x60,
    kRoceNakInvalidRequest = 0x61,
    kRoceNakRemoteAccess = 0x62,
    kRoceNakRemoteOperation = 0x63,
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

/* kRoceFirst to kRoceXrceth of an opcode; 0 for one that its service does not have. */
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
 * kRoceMaxPacket.  Returns the size of the whole, a multiple of 4.
 */
size_t roce_packet_finish(const RocePacket* packet, uint8_t* bytes);

/* How far PSN (or MSN) `a` is after `b`, in the 24-bit circle: negative when it is before. */
static inline int32_t roce_psn_distance(uint32_t a, uint32_t b) {
    const uint32_t apart = (a - b) & kRocePsnMask;

    return apart & 0x800000 ? (int32_t)apart - 0x1000000 : (int32_t)apart;
}

#ifdef __cplusplus
}
#endif

#endif
