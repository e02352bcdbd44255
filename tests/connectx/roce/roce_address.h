/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/* Where a packet goes to and comes from, whatever carries it. */
#ifndef ROCE_ADDRESS_H
#define ROCE_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    kRoceGidBytes = 16,
    kRoceMacBytes = 6,
    kRoceNetworkHeaderBytes = 40, /* what is placed before each received datagram */
};

/*
 * Both ends of a packet.  The sender fills in what its carrier needs; the receiver gets the same
 * view (source is the sender), not a mirrored one.
 */
typedef struct RoceAddress {
    bool global; /* the GIDs hold: always with RoCE, with a GRH on InfiniBand */
    uint8_t sgid[kRoceGidBytes], dgid[kRoceGidBytes];
    uint8_t traffic_class, hop_limit;
    uint32_t flow_label;
    /* Ethernet */
    uint8_t smac[kRoceMacBytes], dmac[kRoceMacBytes];
    bool tagged; /* a tag of 802.1Q, whose control field is `vlan` */
    uint16_t vlan;
    uint16_t udp_source_port;
    /* InfiniBand */
    uint16_t slid, dlid;
    uint8_t service_level;
    /* A received packet with `global` has the GRH, the IPv6 header, or 20 bytes of zero and the
     * IPv4 header (RoCE v2 annex A17.4.5). */
    uint8_t network_header[kRoceNetworkHeaderBytes];
} RoceAddress;

/* Whether the GID is an IPv4 address, ::ffff:a.b.c.d (RoCE v2 annex A17.4.1). */
bool roce_gid_is_ipv4(const uint8_t gid[kRoceGidBytes]);

/* Whether the GID names a group: ff00::/8, or an IPv4 address of 224.0.0.0/4. */
bool roce_gid_is_multicast(const uint8_t gid[kRoceGidBytes]);

/* Writes the network header that a packet of `size` bytes has, from the other members. */
void roce_address_fill_header(RoceAddress* address, bool ethernet, uint32_t size);

#ifdef __cplusplus
}
#endif

#endif
