// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// Where packets go to: the path in a queue pair's context, and that in a datagram's request.
#include "connectx/port.h"
#include "connectx/transport/callbacks.h"

// Places in a datagram's address (struct mlx5_wqe_av of libmlx5).
enum {
    kQkey = 0,
    kQpn = 8,
    kRateAndLevel = 12,
    kLidOrPort = 14,  // the UDP source port with Ethernet
    kMac = 20,
    kTrafficClass = 26,
    kHopLimit = 27,
    kGidAndFlow = 28,
    kGid = 32,
    kHasGrh = 1 << 30,  // in kGidAndFlow
    kGidIndexShift = 20,
    kFlowLabel = 0xfffff,
};

enum { kDefaultUdpPort = 0xc000, kPriorityShift = 13 };

// Adds what an entry of the table of GIDs says of this side.
static void begin_at(const Connectx* nic, unsigned index, unsigned priority, RoceAddress* address) {
    PortAddress source;

    port_address(nic, index, &source);
    memcpy(address->sgid, source.gid, sizeof(address->sgid));
    memcpy(address->smac, source.mac, sizeof(address->smac));
    address->tagged = source.tagged;
    address->vlan = priority << kPriorityShift | source.vlan;
}

RoceAddress path_of_qp(const Connectx* nic, const Qp* qp) {
    const uint8_t* path = IFC_AT(qpc, qp->context, primary_address_path);
    RoceAddress address = {
        .global = nic->ethernet || IFC_GET(ads, path, grh),
        .traffic_class = IFC_GET(ads, path, tclass),
        .hop_limit = IFC_GET(ads, path, hop_limit),
        .flow_label = IFC_GET(ads, path, flow_label),
    };

    memcpy(address.dgid, IFC_AT(ads, path, rgid_rip), sizeof(address.dgid));
    begin_at(nic, IFC_GET(ads, path, src_addr_index), IFC_GET(ads, path, eth_prio), &address);
    if (nic->ethernet) {
        memcpy(address.dmac, IFC_AT(ads, path, rmac_47_32), sizeof(address.dmac));
        address.udp_source_port = IFC_GET(ads, path, udp_sport);
        if (address.udp_source_port == 0) {
            address.udp_source_port = kDefaultUdpPort;
        }
    } else {
        address.slid = nic->lid;
        address.dlid = IFC_GET(ads, path, rlid);
        address.service_level = IFC_GET(ads, path, sl);
    }
    return address;
}

RoceAddress path_of_datagram(const Connectx* nic, const uint8_t* path) {
    const uint32_t flow = ldl_be_p(path + kGidAndFlow);
    const unsigned level = path[kRateAndLevel] & 0xf;
    RoceAddress address = {
        .global = nic->ethernet || (flow & kHasGrh),
        .traffic_class = path[kTrafficClass],
        .hop_limit = path[kHopLimit],
        .flow_label = flow & kFlowLabel,
    };

    memcpy(address.dgid, path + kGid, sizeof(address.dgid));
    begin_at(nic, flow >> kGidIndexShift & 0xff, level >> 1, &address);
    if (nic->ethernet) {
        memcpy(address.dmac, path + kMac, sizeof(address.dmac));
        address.udp_source_port = lduw_be_p(path + kLidOrPort);
        if (address.udp_source_port == 0) {
            address.udp_source_port = kDefaultUdpPort;
        }
    } else {
        address.slid = nic->lid;
        address.dlid = lduw_be_p(path + kLidOrPort);
        address.service_level = level;
    }
    return address;
}

uint32_t datagram_qpn(const uint8_t* path) {
    return ldl_be_p(path + kQpn) & kNumberMask;
}

uint32_t datagram_qkey(const uint8_t* path) {
    return ldl_be_p(path + kQkey);
}

bool is_here(void* device, const RoceAddress* address) {
    const Connectx* nic = device;

    if (nic->ethernet) {
        return port_has_gid(nic, address->dgid);
    }
    return address->dlid == nic->lid && (!address->global || port_has_gid(nic, address->dgid));
}
