// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// The port: its state, addresses and registers.
#ifndef VRDMA_CONNECTX_PORT_H
#define VRDMA_CONNECTX_PORT_H

#include "connectx/command.h"

enum { kLid = 1, kDefaultPkey = 0xffff };

// What the port has when the adapter begins.
void port_reset(Connectx* nic);

// Whether a GID stands for an IPv4 address (RFC 4291, 2.5.5.2).
bool port_gid_is_ipv4(const uint8_t* gid);

// Whether the port has an address, as the driver has set them.
bool port_has_gid(const Connectx* nic, const uint8_t* gid);

// The 40 bytes that a receiver of a datagram of `size` bytes finds before it.  An IPv4
// header is in the second half.
void port_make_grh(const Connectx* nic, uint8_t* grh, unsigned source, const uint8_t* gid,
                   size_t size);

Handler port_query_hca_vport_context, port_query_gid, port_query_pkey, port_query_nic_vport,
    port_modify_nic_vport, port_query_state, port_set_roce_address, port_access_register;

#endif
