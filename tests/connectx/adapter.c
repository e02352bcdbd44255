// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/adapter.h"

#include "connectx/bar.h"
#include "connectx/ethernet/receive_queue.h"
#include "connectx/ethernet/send_queue.h"
#include "connectx/ethernet/steering.h"
#include "connectx/network.h"
#include "connectx/objects/cq.h"
#include "connectx/objects/eq.h"
#include "connectx/objects/mkey.h"
#include "connectx/objects/qp.h"
#include "connectx/objects/srq.h"
#include "connectx/port.h"
#include "connectx/transport/transport.h"
#include "qemu/main-loop.h"

enum {
    // Numbers begin here, so that one kind's is rarely another's by chance.
    kFirstNumber = 0x10,
    kFirstQp = 0x40,
};

static GHashTable* table_of(GDestroyNotify free) {
    return g_hash_table_new_full(NULL, NULL, NULL, free);
}

static void make_tables(Objects* objects) {
    objects->eqs = table_of(eq_free);
    objects->cqs = table_of(cq_free);
    objects->qps = table_of(qp_free);
    objects->srqs = table_of(srq_free);
    objects->mkeys = table_of(mkey_free);
    objects->pds = table_of(g_free);
    objects->rqs = table_of(receive_queue_free);
    objects->rqts = table_of(g_free);
    objects->tirs = table_of(g_free);
    objects->flow_tables = table_of(flow_table_free);
    objects->others = table_of(NULL);
}

static void for_each_table(Objects* objects, void (*act)(GHashTable*)) {
    GHashTable* tables[] = {objects->eqs,   objects->cqs,  objects->qps,        objects->srqs,
                            objects->mkeys, objects->pds,  objects->others,     objects->rqs,
                            objects->rqts,  objects->tirs, objects->flow_tables};

    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        act(tables[i]);
    }
}

static void receive(Connectx* nic, const uint8_t* frame, size_t size) {
    if (size <= port_frame_mtu(nic) && !transport_receive(nic, frame, size) && nic->ethernet) {
        steering_receive(nic, frame, size);
    }
}

static void resume(Connectx* nic) {
    transport_resume(nic);
    qemu_bh_schedule(nic->send_frames);
}

static const NetworkUser kNetworkUser = {.receive = receive, .resume = resume};

void adapter_reset(Connectx* nic) {
    Objects* objects = &nic->objects;

    for_each_table(objects, g_hash_table_remove_all);
    memset(objects->uars, 0, sizeof(objects->uars));
    objects->next_number = objects->next_mkey = objects->next_cq = kFirstNumber;
    objects->next_qp = kFirstQp;
    objects->root_table = 0;
    network_reset(nic);
    transport_reset(nic);
    nic->command_queue = 0;
    nic->doorbells.count = 0;
    qemu_bh_cancel(nic->doorbells.end);
    qemu_bh_cancel(nic->send_frames);
    port_reset(nic);
}

void adapter_init(Connectx* nic) {
    make_tables(&nic->objects);
    nic->doorbells.end = qemu_bh_new(bar_burst_ends, nic);
    nic->send_frames = qemu_bh_new(send_queues_run, nic);
    transport_init(nic);
    network_init(nic, &kNetworkUser);
}

void adapter_free(Connectx* nic) {
    adapter_reset(nic);
    for_each_table(&nic->objects, g_hash_table_destroy);
    network_free(nic);
    transport_free(nic);
    qemu_bh_delete(nic->doorbells.end);
    qemu_bh_delete(nic->send_frames);
}
