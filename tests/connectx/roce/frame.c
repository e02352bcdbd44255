/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
#include "roce_frame.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <string.h>

#include "bytes.h"
#include "icrc.h"

enum {
    TAG_BYTES = 4,
    IPV4_BYTES = sizeof(struct ip),
    IPV6_BYTES = sizeof(struct ip6_hdr),
    UDP_BYTES = sizeof(struct udphdr),
    BTH_BYTES = 12,
};

static const uint8_t ipv4_prefix[12] = {[10] = 0xff, [11] = 0xff};

bool roce_gid_is_ipv4(const uint8_t gid[kRoceGidBytes]) {
    return memcmp(gid, ipv4_prefix, sizeof(ipv4_prefix)) == 0;
}

bool roce_gid_is_multicast(const uint8_t gid[kRoceGidBytes]) {
    return roce_gid_is_ipv4(gid) ? gid[12] >> 4 == 0xe : gid[0] == 0xff;
}

static uint16_t ipv4_checksum(const uint8_t* header) {
    uint32_t sum = 0;

    for (unsigned i = 0; i < IPV4_BYTES; i += 2) {
        sum += roce_get16(header + i);
    }
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t) ~(sum + (sum >> 16));
}

static void write_ipv4(const RoceAddress* address, size_t above, uint8_t* out) {
    struct ip header = {
        .ip_v = IPVERSION,
        .ip_hl = IPV4_BYTES / 4,
        .ip_tos = address->traffic_class,
        .ip_len = htons((uint16_t)(IPV4_BYTES + above)),
        .ip_off = htons(IP_DF),
        .ip_ttl = address->hop_limit,
        .ip_p = IPPROTO_UDP,
    };

    memcpy(&header.ip_src, address->sgid + 12, 4);
    memcpy(&header.ip_dst, address->dgid + 12, 4);
    memcpy(out, &header, IPV4_BYTES);
    roce_put16(out + offsetof(struct ip, ip_sum), ipv4_checksum(out));
}

static void write_ipv6(const RoceAddress* address, size_t above, uint8_t next, uint8_t* out) {
    struct ip6_hdr header = {0};

    header.ip6_flow =
        htonl(6u << 28 | (uint32_t)address->traffic_class << 20 | (address->flow_label & 0xfffff));
    header.ip6_plen = htons((uint16_t)above);
    header.ip6_nxt = next;
    header.ip6_hlim = address->hop_limit;
    memcpy(&header.ip6_src, address->sgid, kRoceGidBytes);
    memcpy(&header.ip6_dst, address->dgid, kRoceGidBytes);
    memcpy(out, &header, IPV6_BYTES);
}

static bool by_ipv4(const RoceAddress* address) {
    return roce_gid_is_ipv4(address->sgid) && roce_gid_is_ipv4(address->dgid);
}

void roce_address_fill_header(RoceAddress* address, bool ethernet, uint32_t size) {
    enum { GRH_NEXT_BTH = 0x1b }; /* IBA 8.3.3 */
    uint8_t* header = address->network_header;

    memset(header, 0, kRoceNetworkHeaderBytes);
    if (!address->global) {
        return;
    }
    size += kRoceIcrcBytes;
    if (!ethernet) {
        write_ipv6(address, size, GRH_NEXT_BTH, header);
    } else if (by_ipv4(address)) {
        write_ipv4(address, UDP_BYTES + size, header + kRoceNetworkHeaderBytes - IPV4_BYTES);
    } else {
        write_ipv6(address, UDP_BYTES + size, IPPROTO_UDP, header);
    }
}

size_t roce_frame_build(const RoceAddress* address, const uint8_t* packet, size_t size,
                        uint8_t* frame) {
    const bool ipv4 = by_ipv4(address);
    const size_t above = UDP_BYTES + size + kRoceIcrcBytes;
    uint8_t *p = frame, *ip;
    uint32_t crc;

    if (size > kRoceMaxPacket || size < BTH_BYTES) {
        return 0;
    }
    memcpy(p, address->dmac, kRoceMacBytes);
    memcpy(p + kRoceMacBytes, address->smac, kRoceMacBytes);
    p += (size_t)2 * kRoceMacBytes;
    if (address->tagged) {
        roce_put16(p, ETHERTYPE_VLAN);
        roce_put16(p + 2, address->vlan);
        p += TAG_BYTES;
    }
    roce_put16(p, ipv4 ? ETHERTYPE_IP : ETHERTYPE_IPV6);
    ip = p += 2;
    if (ipv4) {
        write_ipv4(address, above, p);
        p += IPV4_BYTES;
    } else {
        write_ipv6(address, above, IPPROTO_UDP, p);
        p += IPV6_BYTES;
    }
    roce_put16(p, address->udp_source_port);
    roce_put16(p + 2, kRoceUdpPort);
    roce_put16(p + 4, (uint16_t)above);
    roce_put16(p + 6, 0); /* RoCE v2 annex A17.3.2: the CRC is enough */
    p += UDP_BYTES;
    memcpy(p, packet, size);
    crc = roce_icrc(ip, (size_t)(p - ip), size);
    p += size;
    for (int i = 0; i < kRoceIcrcBytes; i++) {
        *p++ = (uint8_t)(crc >> 8 * i);
    }
    return (size_t)(p - frame);
}

/*
 * Reads the IP header.  Returns its size, 0 for what is none of UDP for RoCE's port, and -1 for a
 * malformed one; `end` becomes the datagram's, without what Ethernet padded.
 */
static int parse_ip(const uint8_t* ip, const uint8_t** end, uint16_t type, RoceAddress* address) {
    const size_t left = (size_t)(*end - ip);
    size_t size, total;
    const uint8_t* udp;

    if (type == ETHERTYPE_IP) {
        size = IPV4_BYTES;
        /* Options and fragments are no RoCE (annex A17.3.1). */
        if (left < size + UDP_BYTES || ip[0] != 0x45 || ip[9] != IPPROTO_UDP ||
            (roce_get16(ip + 6) & (IP_MF | IP_OFFMASK))) {
            return 0;
        }
        total = roce_get16(ip + 2);
    } else if (type == ETHERTYPE_IPV6) {
        size = IPV6_BYTES;
        if (left < size + UDP_BYTES || ip[0] >> 4 != 6 || ip[6] != IPPROTO_UDP) {
            return 0;
        }
        total = IPV6_BYTES + (size_t)roce_get16(ip + 4);
    } else {
        return 0;
    }
    udp = ip + size;
    if (roce_get16(udp + 2) != kRoceUdpPort) {
        return 0;
    }
    if (total > left || total < size + UDP_BYTES + BTH_BYTES + kRoceIcrcBytes ||
        roce_get16(udp + 4) != total - size || (type == ETHERTYPE_IP && ipv4_checksum(ip) != 0)) {
        return -1;
    }
    *end = ip + total;
    memset(address, 0, sizeof(*address));
    address->global = true;
    address->udp_source_port = roce_get16(udp);
    if (type == ETHERTYPE_IP) {
        memcpy(address->sgid, ipv4_prefix, sizeof(ipv4_prefix));
        memcpy(address->dgid, ipv4_prefix, sizeof(ipv4_prefix));
        memcpy(address->sgid + 12, ip + 12, 4);
        memcpy(address->dgid + 12, ip + 16, 4);
        address->traffic_class = ip[1];
        address->hop_limit = ip[8];
        memcpy(address->network_header + kRoceNetworkHeaderBytes - IPV4_BYTES, ip, IPV4_BYTES);
    } else {
        memcpy(address->sgid, ip + 8, kRoceGidBytes);
        memcpy(address->dgid, ip + 24, kRoceGidBytes);
        address->traffic_class = (uint8_t)(roce_get16(ip) >> 4);
        address->flow_label = roce_get32(ip) & 0xfffff;
        address->hop_limit = ip[7];
        memcpy(address->network_header, ip, IPV6_BYTES);
    }
    return (int)size;
}

RoceFrameKind roce_frame_parse(const uint8_t* frame, size_t size, RoceAddress* address,
                               const uint8_t** packet, size_t* packet_size) {
    const uint8_t *p = frame + (size_t)2 * kRoceMacBytes, *end = frame + size, *ip, *icrc;
    uint16_t type, tag = 0;
    bool tagged;
    uint32_t crc;
    int ip_size;

    if (size < (size_t)2 * kRoceMacBytes + 2 + TAG_BYTES) {
        return kRoceFrameOther;
    }
    type = roce_get16(p);
    tagged = type == ETHERTYPE_VLAN;
    if (tagged) {
        tag = roce_get16(p + 2);
        p += TAG_BYTES;
        type = roce_get16(p);
    }
    ip = p + 2;
    ip_size = parse_ip(ip, &end, type, address);
    if (ip_size <= 0) {
        return ip_size == 0 ? kRoceFrameOther : kRoceFrameBad;
    }
    memcpy(address->dmac, frame, kRoceMacBytes);
    memcpy(address->smac, frame + kRoceMacBytes, kRoceMacBytes);
    address->tagged = tagged;
    address->vlan = tag;
    *packet = ip + ip_size + UDP_BYTES;
    icrc = end - kRoceIcrcBytes;
    *packet_size = (size_t)(icrc - *packet);
    crc = roce_icrc(ip, (size_t)ip_size + UDP_BYTES, *packet_size);
    for (int i = 0; i < kRoceIcrcBytes; i++) {
        if (icrc[i] != (uint8_t)(crc >> 8 * i)) {
            return kRoceFrameBad;
        }
    }
    return kRoceFrameGood;
}
