// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// The modelled adapter: what its parts share.
#ifndef VRDMA_CONNECTX_CONNECTX_H
#define VRDMA_CONNECTX_CONNECTX_H

#include "qemu/osdep.h"
// After osdep.h, which every file of QEMU begins with.
#include "hw/pci/pci.h"
#include "net/net.h"
#include "qemu/timer.h"
#include "qemu/units.h"

#define TYPE_CONNECTX "connectx-model"
OBJECT_DECLARE_SIMPLE_TYPE(Connectx, CONNECTX)

enum {
    kPageSize = 4096,
    kBarSize = 32 * MiB,
    kFirstUar = 16,  // the pages before it are the initialization segment
    kUars = kBarSize / kPageSize,
    kVectors = 32,
    kGids = 16,
    kBurst = 64,  // bytes of a BlueFlame write
    kLogMaxMessage = 30,
};

// Objects that the host's driver has made, by their numbers.
typedef struct {
    GHashTable *eqs, *cqs, *qps, *srqs, *mkeys, *pds;
    GHashTable *rqs, *rqts, *tirs, *flow_tables;  // of the Ethernet side
    uint32_t root_table;                          // that frames come to first
    GHashTable* others;                           // of which the model knows kind and number only
    uint32_t next_number, next_mkey, next_qp, next_cq;
    uint8_t uars[kUars];  // whether each page is allocated
} Objects;

// A write to a doorbell register that more may follow.
typedef struct {
    QEMUBH* end;
    hwaddr at;
    unsigned count;  // of the eight-byte writes so far
    uint8_t bytes[kBurst];
    uint64_t doorbells, bursts;  // for the log
} Doorbells;

// What moves messages, see transport/transport.h.
typedef struct {
    struct RoceTransport* roce;
    struct RocePort* port;
    QEMUBH* soon;  // goes on with what is to be sent
    QEMUTimer* later;
    bool running, again;
} Transport;

// Faults of the network, see transport/wire.h: how many of 10000 frames of RDMA, in each direction,
// are lost, come twice, after later ones, or with a wrong bit.
typedef struct {
    uint32_t lost, doubled, reordered, corrupted;
    uint64_t seed;
    struct RoceFaults *out, *in;  // NULL without faults
    QEMUTimer* held;              // lets go of frames that are held back
} Wire;

// See network.h.
typedef struct {
    NICConf conf;
    NICState* nic;  // NULL without a network
    const struct NetworkUser* user;
    unsigned waiting;  // frames that it has not taken yet
} Network;

typedef struct {
    uint8_t gids[kGids][32];  // roce_addr_layout
    uint8_t nic_vport[512];   // nic_vport_context
} Port;

struct Connectx {
    PCIDevice parent_obj;
    MemoryRegion bar;

    // Properties of the device.
    bool ethernet;   // an Ethernet port with RoCE, or else an InfiniBand port
    bool blueflame;  // whether bursts are taken for requests
    uint16_t lid;    // of an InfiniBand port
    uint64_t guid;
    char* log_path;

    FILE* log;
    uint32_t violations;
    uint64_t command_queue;  // its address
    uint32_t health;
    bool busy;  // with what it was asked for: its own writes to its registers are refused
    Objects objects;
    Transport transport;
    Network network;
    Wire wire;
    QEMUBH* send_frames;  // goes on with the send queues of the Ethernet side
    Doorbells doorbells;
    Port port;
};

// An object by its number, NULL if there is none.
static inline void* find_object(GHashTable* table, uint32_t number) {
    return g_hash_table_lookup(table, GUINT_TO_POINTER(number));
}

// Whether an object has, or had, this number; `last` is the one that was given last, and none is
// given twice.  A program whose queue the driver has destroyed, as it does when the device is
// removed, may ring it once more.
static inline bool was_given(uint32_t number, uint32_t last) {
    return number && number <= last;
}

static inline void add_object(GHashTable* table, uint32_t number, void* object) {
    g_hash_table_insert(table, GUINT_TO_POINTER(number), object);
}

#endif
