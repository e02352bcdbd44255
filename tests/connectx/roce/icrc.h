/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/* The invariant CRC of RoCE v2 and of InfiniBand, and the latter's variant CRC. */
#ifndef ROCE_ICRC_H
#define ROCE_ICRC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { kRoceIcrcBytes = 4 };

/*
 * The CRC of a packet with its IPv4 or IPv6 header at `ip`: `network_size` bytes of IP and UDP
 * headers, then `size` bytes of the transport layer's packet.  Fields that a router may change
 * count as ones (RoCE v2 annex A17.3.3).  The first byte of the CRC on the wire is the low one.
 */
uint32_t roce_icrc(const uint8_t* ip, size_t network_size, size_t size);

/*
 * The CRC of a packet of InfiniBand with its LRH at `lrh`, a GRH behind it if it is `global`, then
 * `size` bytes of the transport layer's packet.  A switch may change the virtual lane, and a router
 * the LRH and parts of the GRH (IBA 7.8.1).
 */
uint32_t ib_icrc(const uint8_t* lrh, bool global, size_t size);

/* The variant CRC of InfiniBand, which each link computes: over LRH to invariant CRC (IBA 7.8.2).
 * The first byte on the wire is the low one. */
uint16_t ib_vcrc(const uint8_t* lrh, size_t size);

#ifdef __cplusplus
}
#endif

#endif
