// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/network.h"

enum { kMostWaiting = 1024 };  // what one request is cut into may not stop halfway

static ssize_t receive(NetClientState* client, const uint8_t* frame, size_t size) {
    Connectx* nic = qemu_get_nic_opaque(client);

    nic->busy = true;
    nic->network.user->receive(nic, frame, size);
    nic->busy = false;
    return size;
}

// A frame comes when nothing else is going on.
static bool can_receive(NetClientState* client) {
    const Connectx* nic = qemu_get_nic_opaque(client);

    return !nic->busy;
}

static NetClientInfo info = {
    .type = NET_CLIENT_DRIVER_NIC,
    .size = sizeof(NICState),
    .receive = receive,
    .can_receive = can_receive,
};

void network_mac(const Connectx* nic, uint8_t mac[kMac]) {
    // QEMU's prefix, and the end of the GUID.
    const uint8_t own[kMac] = {0x52, 0x54, 0x00, nic->guid >> 16, nic->guid >> 8, nic->guid};

    memcpy(mac, own, sizeof(own));
}

void network_init(Connectx* nic, const NetworkUser* user) {
    Network* network = &nic->network;

    network->user = user;
    if (network->conf.peers.ncs[0]) {
        network_mac(nic, network->conf.macaddr.a);
        network->nic = qemu_new_nic(&info, &network->conf, object_get_typename(OBJECT(nic)),
                                    DEVICE(nic)->id, &DEVICE(nic)->mem_reentrancy_guard, nic);
        qemu_format_nic_info_str(qemu_get_queue(network->nic), network->conf.macaddr.a);
    }
}

void network_reset(Connectx* nic) {
    if (nic->network.nic) {
        qemu_purge_queued_packets(qemu_get_queue(nic->network.nic));
    }
    nic->network.waiting = 0;
}

void network_free(Connectx* nic) {
    if (nic->network.nic) {
        qemu_del_nic(nic->network.nic);
    }
}

bool network_ready(const Connectx* nic) {
    return nic->network.waiting == 0;
}

// A frame that waited is gone.
static void sent(NetClientState* client, ssize_t result) {
    Connectx* nic = qemu_get_nic_opaque(client);

    if (nic->network.waiting > 0 && --nic->network.waiting == 0) {
        nic->network.user->resume(nic);
    }
}

void network_send(Connectx* nic, const uint8_t* frame, size_t size) {
    Network* network = &nic->network;

    if (network->nic && network->waiting < kMostWaiting &&
        qemu_send_packet_async(qemu_get_queue(network->nic), frame, size, sent) == 0) {
        network->waiting++;
    }
}
