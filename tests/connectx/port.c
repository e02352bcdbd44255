// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/port.h"

#include "connectx/log.h"
#include "connectx/network.h"
#include "connectx/roce/ib_frame.h"
#include "qemu/cutils.h"

enum {
    kActive = 4,   // port_state of InfiniBand
    kLinkUp = 5,   // port_physical_state
    kVportUp = 1,  // of an Ethernet port
    kAllOfTable = 0xffff,
    kIndex = 14,      // where the queries of the tables have the index
    kMacPlace = 2,    // in the permanent address, which two reserved bytes are before
    kManagerLid = 1,  // of a subnet manager, which no port of a model has
    kFrameMtu = 1522,
    kFrameChecksum = 4,
    // What a frame's MTU counts beside IP packets: its header, a tag, the checksum.
    kFrameOverhead = 14 + 4 + 4,
    // What a packet may have beside its payload: IPv6, UDP, BTH, XRCETH, ATOMICETH, ICRC.
    kPacketOverhead = 40 + 8 + 12 + 4 + 28 + 4,
    kSmallestMtu = 256,
    kLargestMtu = 4096,
    kIpv4Prefix = 12,
};

// Registers by which a driver asks for the port's (MLX5_REG_* of <linux/mlx5/driver.h>).
enum { kPtys = 0x5004, kPmtu = 0x5003, kPvlc = 0x500f, kNodeDescription = 0x6001 };

void port_reset(Connectx* nic) {
    uint8_t* vport = nic->port.nic_vport;
    uint8_t* mac = IFC_AT(nic_vport_context, vport, permanent_address) + kMacPlace;

    memset(&nic->port, 0, sizeof(nic->port));
    IFC_SET(nic_vport_context, vport, min_wqe_inline_mode, 1);
    IFC_SET(nic_vport_context, vport, mtu, kFrameMtu);
    IFC_SET(nic_vport_context, vport, roce_en, 1);
    IFC_SET(nic_vport_context, vport, system_image_guid, nic->guid);
    IFC_SET(nic_vport_context, vport, port_guid, nic->guid);
    IFC_SET(nic_vport_context, vport, node_guid, nic->guid);
    network_mac(nic, mac);
}

// The only GID of an InfiniBand port.
static void default_gid(const Connectx* nic, uint8_t* gid) {
    stq_be_p(gid, 0xfe80000000000000ULL);
    stq_be_p(gid + 8, nic->guid);
}

void port_address(const Connectx* nic, unsigned index, PortAddress* address) {
    enum { kIpv4 = 0 };
    static const uint8_t prefix[kIpv4Prefix] = {[10] = 0xff, [11] = 0xff};
    const uint8_t* entry = nic->port.gids[index % kGids];

    memset(address, 0, sizeof(*address));
    if (!nic->ethernet) {
        if (index == 0) {
            default_gid(nic, address->gid);
        }
        return;
    }
    if (index >= kGids || buffer_is_zero(entry, sizeof(nic->port.gids[0]))) {
        return;
    }
    memcpy(address->gid, IFC_AT(roce_addr_layout, entry, source_l3_address), sizeof(address->gid));
    // An IPv4 address is in the last bytes; the others do not count.
    if (IFC_GET(roce_addr_layout, entry, roce_l3_type) == kIpv4) {
        memcpy(address->gid, prefix, sizeof(prefix));
    }
    memcpy(address->mac, IFC_AT(roce_addr_layout, entry, source_mac_47_32), sizeof(address->mac));
    address->tagged = IFC_GET(roce_addr_layout, entry, vlan_valid);
    address->vlan = IFC_GET(roce_addr_layout, entry, vlan_id);
}

bool port_has_gid(const Connectx* nic, const uint8_t* gid) {
    PortAddress address;

    if (buffer_is_zero(gid, sizeof(address.gid))) {
        return false;
    }
    for (unsigned i = 0; i < kGids; i++) {
        port_address(nic, i, &address);
        if (memcmp(address.gid, gid, sizeof(address.gid)) == 0) {
            return true;
        }
    }
    return false;
}

unsigned port_frame_mtu(const Connectx* nic) {
    const unsigned mtu = IFC_GET(nic_vport_context, nic->port.nic_vport, mtu);

    if (!nic->ethernet) {
        return kIbMaxFrame;
    }
    return mtu - MIN(mtu, kFrameChecksum);
}

unsigned port_packet_mtu(const Connectx* nic) {
    const unsigned frame = IFC_GET(nic_vport_context, nic->port.nic_vport, mtu);
    unsigned mtu = kLargestMtu;

    if (nic->ethernet) {
        while (mtu > kSmallestMtu && mtu + kPacketOverhead + kFrameOverhead > frame) {
            mtu /= 2;
        }
    }
    return mtu;
}

Status port_query_hca_vport_context(Connectx* nic, Command* command) {
    uint8_t* context = IFC_AT(query_hca_vport_context_out, command->out, hca_vport_context);

    IFC_SET(hca_vport_context, context, port_physical_state, kLinkUp);
    IFC_SET(hca_vport_context, context, port_state, kActive);
    IFC_SET(hca_vport_context, context, vport_state, kActive);
    IFC_SET(hca_vport_context, context, system_image_guid, nic->guid);
    IFC_SET(hca_vport_context, context, port_guid, nic->guid);
    IFC_SET(hca_vport_context, context, node_guid, nic->guid);
    IFC_SET(hca_vport_context, context, lid, nic->lid);
    IFC_SET(hca_vport_context, context, sm_lid, kManagerLid);
    return kOk;
}

Status port_query_gid(Connectx* nic, Command* command) {
    uint8_t* gid = command->out + kHeader;

    IFC_SET(query_hca_vport_gid_out, command->out, gids_num, 1);
    if (lduw_be_p(command->in + kIndex) == 0) {
        default_gid(nic, gid);
    }
    return kOk;
}

Status port_query_pkey(Connectx* nic, Command* command) {
    const unsigned index = lduw_be_p(command->in + kIndex);

    if (index == 0 || index == kAllOfTable) {
        stl_be_p(command->out + kHeader, kDefaultPkey);
    }
    return kOk;
}

Status port_query_nic_vport(Connectx* nic, Command* command) {
    memcpy(command->out + kHeader, nic->port.nic_vport,
           MIN(command->out_length - kHeader, sizeof(nic->port.nic_vport)));
    return kOk;
}

// Lists of addresses and the promiscuous mode are for a switch within the adapter, which this one
// does not have: every frame of the network comes to the flow tables.
Status port_modify_nic_vport(Connectx* nic, Command* command) {
    const uint8_t* select = IFC_AT(modify_nic_vport_context_in, command->in, field_select);
    const uint8_t* context = IFC_AT(modify_nic_vport_context_in, command->in, nic_vport_context);

    if (IFC_GET(modify_nic_vport_field_select, select, mtu)) {
        IFC_SET(nic_vport_context, nic->port.nic_vport, mtu,
                IFC_GET(nic_vport_context, context, mtu));
    }
    return kOk;
}

Status port_query_state(Connectx* nic, Command* command) {
    IFC_SET(query_vport_state_out, command->out, admin_state, kVportUp);
    IFC_SET(query_vport_state_out, command->out, state, kVportUp);
    return kOk;
}

Status port_set_roce_address(Connectx* nic, Command* command) {
    const unsigned index = IFC_GET(set_roce_address_in, command->in, roce_address_index);
    const uint8_t* address = IFC_AT(set_roce_address_in, command->in, roce_address);

    if (index >= kGids) {
        log_violation(nic, "GID %u of a table of %u", index, kGids);
        return kBadParameter;
    }
    memcpy(nic->port.gids[index], address, sizeof(nic->port.gids[index]));
    log_say(nic, "      GID %u: %02x%02x:...:%02x%02x%02x%02x version %u", index, address[0],
            address[1], address[12], address[13], address[14], address[15],
            (unsigned)IFC_GET(roce_addr_layout, address, roce_version));
    return kOk;
}

static void speed(const Connectx* nic, uint8_t* reg) {
    enum { k25G = 1 << 30, kWidth4 = 2, kEdr = 32 };

    if (nic->ethernet) {
        IFC_SET(ptys_reg, reg, eth_proto_capability, k25G);
        IFC_SET(ptys_reg, reg, eth_proto_admin, k25G);
        IFC_SET(ptys_reg, reg, eth_proto_oper, k25G);
    }
    IFC_SET(ptys_reg, reg, ib_link_width_capability, kWidth4);
    IFC_SET(ptys_reg, reg, ib_proto_capability, kEdr);
    IFC_SET(ptys_reg, reg, ib_link_width_oper, kWidth4);
    IFC_SET(ptys_reg, reg, ib_proto_oper, kEdr);
}

Status port_access_register(Connectx* nic, Command* command) {
    static const char description[] = "vrdma, ConnectX model";
    const unsigned id = IFC_GET(access_register_in, command->in, register_id);
    uint8_t* reg = command->out + kHeader;
    const size_t size = MIN(command->in_length, command->out_length) - kHeader;

    log_say(nic, "      register %#x, %s, %zu bytes", id, command->modifier ? "read" : "write",
            size);
    memcpy(reg, command->in + kHeader, size);
    switch (id) {
        case kPtys:
            speed(nic, reg);
            break;
        case kPmtu:
            IFC_SET(pmtu_reg, reg, max_mtu, nic->ethernet ? 9216 : kPageSize);
            IFC_SET(pmtu_reg, reg, admin_mtu, nic->ethernet ? kFrameMtu : kPageSize);
            IFC_SET(pmtu_reg, reg, oper_mtu, nic->ethernet ? kFrameMtu : kPageSize);
            break;
        case kPvlc:
            IFC_SET(pvlc_reg, reg, vl_hw_cap, 1);
            IFC_SET(pvlc_reg, reg, vl_admin, 1);
            IFC_SET(pvlc_reg, reg, vl_operational, 1);
            break;
        case kNodeDescription:
            memset(reg, 0, size);
            memcpy(reg, description, MIN(size, sizeof(description)));
            break;
        default:
            // Its own bytes come back: the driver reads nothing from these.
            break;
    }
    return kOk;
}
