// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/ethernet/flow_key.h"

enum {
    kMac = 6,
    kServiceLevel = 1,  // where IPv4 has DSCP and ECN
    kTimeToLive = 8,
    kHopLimit = 7,
    kTcpFlags = 12,  // the lower 9 bits of two bytes
};

#define SET(field, value) IFC_SET(fte_match_set_lyr_2_4, key->bytes, field, value)

// The places of addresses in the layout: the last four bytes have one of IPv4.
static void set_addresses(const uint8_t* ip, unsigned version, FlowKey* key) {
    const size_t size = version == 4 ? 4 : 16;
    const uint8_t* source = version == 4 ? ip + 12 : ip + 8;

    memcpy(IFC_AT(fte_match_set_lyr_2_4, key->bytes, src_ipv4_src_ipv6) + 16 - size, source, size);
    memcpy(IFC_AT(fte_match_set_lyr_2_4, key->bytes, dst_ipv4_dst_ipv6) + 16 - size, source + size,
           size);
}

static void set_network(const uint8_t* ip, const Headers* headers, FlowKey* key) {
    const unsigned level = headers->version == 4 ? ip[kServiceLevel] : lduw_be_p(ip) >> 4 & 0xff;

    SET(ip_version, headers->version);
    SET(ip_protocol, headers->protocol);
    SET(ip_dscp, level >> 2);
    SET(ip_ecn, level & 3);
    SET(frag, headers->fragment);
    SET(ttl_hoplimit, ip[headers->version == 4 ? kTimeToLive : kHopLimit]);
    if (headers->version == 4) {
        SET(ipv4_ihl, headers->header_bytes / 4);
    }
    set_addresses(ip, headers->version, key);
}

void flow_key_make(const uint8_t* frame, const Headers* headers, FlowKey* key) {
    memset(key, 0, sizeof(*key));
    memcpy(IFC_AT(fte_match_set_lyr_2_4, key->bytes, dmac_47_16), frame, kMac);
    memcpy(IFC_AT(fte_match_set_lyr_2_4, key->bytes, smac_47_16), frame + kMac, kMac);
    SET(ethertype, headers->type);
    SET(cvlan_tag, headers->tagged);
    SET(svlan_tag, headers->service_tagged);
    SET(first_vid, headers->tag & 0xfff);
    SET(first_prio, headers->tag >> 13);
    SET(first_cfi, headers->tag >> 12 & 1);
    if (headers->version) {
        set_network(frame + headers->network, headers, key);
    }
    if (headers->transport) {
        const uint8_t* transport = frame + headers->transport;
        const unsigned source = lduw_be_p(transport), destination = lduw_be_p(transport + 2);

        if (headers->protocol == kTcp) {
            SET(tcp_sport, source);
            SET(tcp_dport, destination);
            SET(tcp_flags, lduw_be_p(transport + kTcpFlags) & 0x1ff);
        } else {
            SET(udp_sport, source);
            SET(udp_dport, destination);
        }
    }
}

bool flow_key_matches(const FlowKey* key, const FlowKey* mask, const FlowKey* value) {
    for (size_t i = 0; i < sizeof(key->bytes); i += sizeof(uint64_t)) {
        if ((ldq_he_p(key->bytes + i) ^ ldq_he_p(value->bytes + i)) & ldq_he_p(mask->bytes + i)) {
            return false;
        }
    }
    return true;
}
