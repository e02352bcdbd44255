// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// The adapter's end of QEMU's network: frames that go out, and frames that come.
#ifndef VRDMA_CONNECTX_NETWORK_H
#define VRDMA_CONNECTX_NETWORK_H

#include "connectx/connectx.h"

enum { kMac = 6 };

// What the upper parts do.
typedef struct NetworkUser {
    void (*receive)(Connectx* nic, const uint8_t* frame, size_t size);
    void (*resume)(Connectx* nic);  // the network takes frames again
} NetworkUser;

// Connects to the device that the property `netdev` names, if it does.  `user` stays.
void network_init(Connectx* nic, const NetworkUser* user);
void network_reset(Connectx* nic);
void network_free(Connectx* nic);

// The port's own address.
void network_mac(const Connectx* nic, uint8_t mac[kMac]);

// Whether a frame may be sent now; otherwise resume() says when.
bool network_ready(const Connectx* nic);

// Sends a frame, without its checksum.  It is lost where there is no network, or where very many
// wait already.
void network_send(Connectx* nic, const uint8_t* frame, size_t size);

#endif
