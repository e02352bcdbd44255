/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/* The invariant CRC of RoCE v2. */
#ifndef ROCE_ICRC_H
#define ROCE_ICRC_H

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

#ifdef __cplusplus
}
#endif

#endif
