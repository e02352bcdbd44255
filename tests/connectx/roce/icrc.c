/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
#include "icrc.h"

#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <string.h>

enum {
    LRH_BYTES = 8, /* RoCE has none: all ones */
    GRH_BYTES = sizeof(struct ip6_hdr),
    BTH_BYTES = 12,
    BTH_RESERVED = 4, /* reserved for link and congestion notifications */
    NETWORK_MAX = sizeof(struct ip6_hdr) + sizeof(struct udphdr),
};

/* CRC-32 of Ethernet (IBA 7.8.1), least significant bit first. */
static uint32_t crc32_add(uint32_t crc, const uint8_t* bytes, size_t size) {
    static uint32_t table[256];
    static bool made;

    if (!made) {
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t value = i;

            for (int bit = 0; bit < 8; bit++) {
                value = value >> 1 ^ (value & 1 ? 0xedb88320 : 0);
            }
            table[i] = value;
        }
        made = true;
    }
    for (size_t i = 0; i < size; i++) {
        crc = crc >> 8 ^ table[(crc ^ bytes[i]) & 0xff];
    }
    return crc;
}

/* Sets the fields of an IPv6 header or a GRH that a router may change. */
static void mask_ipv6(uint8_t* header) {
    header[0] |= 0x0f; /* traffic class and flow label */
    memset(header + 1, 0xff, 3);
    header[offsetof(struct ip6_hdr, ip6_hlim)] = 0xff;
}

uint32_t roce_icrc(const uint8_t* ip, size_t network_size, size_t size) {
    uint8_t head[LRH_BYTES + NETWORK_MAX + BTH_BYTES];
    uint8_t* network = head + LRH_BYTES;
    uint8_t* udp = network + network_size - sizeof(struct udphdr);
    uint32_t crc;

    memset(head, 0xff, LRH_BYTES);
    memcpy(network, ip, network_size + BTH_BYTES);
    if (ip[0] >> 4 == 4) {
        network[offsetof(struct ip, ip_tos)] = 0xff;
        network[offsetof(struct ip, ip_ttl)] = 0xff;
        memset(network + offsetof(struct ip, ip_sum), 0xff, 2);
    } else {
        mask_ipv6(network);
    }
    memset(udp + offsetof(struct udphdr, check), 0xff, 2);
    network[network_size + BTH_RESERVED] = 0xff;
    crc = crc32_add(~0u, head, LRH_BYTES + network_size + BTH_BYTES);
    return ~crc32_add(crc, ip + network_size + BTH_BYTES, size - BTH_BYTES);
}

uint32_t ib_icrc(const uint8_t* lrh, bool global, size_t size) {
    uint8_t head[LRH_BYTES + GRH_BYTES + BTH_BYTES];
    const size_t route = LRH_BYTES + (global ? GRH_BYTES : 0);
    uint32_t crc;

    memcpy(head, lrh, route + BTH_BYTES);
    if (global) {
        memset(head, 0xff, LRH_BYTES);
        mask_ipv6(head + LRH_BYTES);
    } else {
        head[0] |= 0xf0; /* the virtual lane */
    }
    head[route + BTH_RESERVED] = 0xff;
    crc = crc32_add(~0u, head, route + BTH_BYTES);
    return ~crc32_add(crc, lrh + route + BTH_BYTES, size - BTH_BYTES);
}

uint16_t ib_vcrc(const uint8_t* lrh, size_t size) {
    enum { REVERSED = 0xd008 }; /* the polynomial 0x100b, least significant bit first */
    static uint16_t table[256];
    static bool made;
    uint16_t crc = 0xffff;

    if (!made) {
        for (unsigned i = 0; i < 256; i++) {
            unsigned value = i;

            for (int bit = 0; bit < 8; bit++) {
                value = value >> 1 ^ (value & 1 ? REVERSED : 0);
            }
            table[i] = (uint16_t)value;
        }
        made = true;
    }
    for (size_t i = 0; i < size; i++) {
        crc = (uint16_t)(crc >> 8 ^ table[(crc ^ lrh[i]) & 0xff]);
    }
    return (uint16_t)~crc;
}
