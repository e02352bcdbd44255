// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// The port: its state, addresses and registers.
#ifndef VRDMA_CONNECTX_PORT_H
#define VRDMA_CONNECTX_PORT_H

#include "connectx/command.h"

enum { kDefaultPkey = 0xffff };

// What the port has when the adapter begins.
void port_reset(Connectx* nic);

// An entry of the table of GIDs.
typedef struct {
    uint8_t gid[16];  // ::ffff:a.b.c.d stands for an IPv4 address (RoCE v2 annex A17.4.1)
    uint8_t mac[6];
    bool tagged;  // its frames have a tag, of the network `vlan`
    uint16_t vlan;
} PortAddress;

// The entry with an index; all zeros if the driver has set none there.
void port_address(const Connectx* nic, unsigned index, PortAddress* address);

// Whether the port has an address, as the driver has set them.
bool port_has_gid(const Connectx* nic, const uint8_t* gid);

// The bytes that a frame may have, without its checksum.
unsigned port_frame_mtu(const Connectx* nic);

// The payload that a packet may have, as an MTU of InfiniBand.
unsigned port_packet_mtu(const Connectx* nic);

Handler port_query_hca_vport_context, port_query_gid, port_query_pkey, port_query_nic_vport,
    port_modify_nic_vport, port_query_state, port_set_roce_address, port_access_register;

#endif
