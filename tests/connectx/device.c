// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// The PCI device: a ConnectX-5 Virtual Function, as its driver knows it.
#include "connectx/bar.h"
#include "connectx/ethernet/receive_queue.h"
#include "connectx/ethernet/send_queue.h"
#include "connectx/ethernet/steering.h"
#include "connectx/log.h"
#include "connectx/network.h"
#include "connectx/objects/cq.h"
#include "connectx/objects/eq.h"
#include "connectx/objects/mkey.h"
#include "connectx/objects/qp.h"
#include "connectx/objects/srq.h"
#include "connectx/port.h"
#include "connectx/roce/ib_frame.h"
#include "connectx/transport/transport.h"
// After osdep.h, which the headers above begin with.
#include "hw/pci/msix.h"
#include "hw/pci/pcie.h"
#include "hw/qdev-properties.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"

enum {
    kVendor = 0x15b3,
    kVirtualFunction = 0x1018,  // ConnectX-5
    kMsixBar = 2,
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

static void reset(DeviceState* device) {
    Connectx* nic = CONNECTX(device);
    Objects* objects = &nic->objects;
    GHashTable* tables[] = {objects->eqs,   objects->cqs,  objects->qps,        objects->srqs,
                            objects->mkeys, objects->pds,  objects->others,     objects->rqs,
                            objects->rqts,  objects->tirs, objects->flow_tables};

    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        g_hash_table_remove_all(tables[i]);
    }
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

static void realize(PCIDevice* pci, Error** error) {
    Connectx* nic = CONNECTX(pci);

    if (!ib_lid_is_unicast(nic->lid)) {
        error_setg(error, "lid=%u: a port has one of 1 to %u", nic->lid, kIbFirstMulticastLid - 1);
        return;
    }
    if (!log_open(nic)) {
        error_setg_errno(error, errno, "cannot write the log %s", nic->log_path);
        return;
    }
    make_tables(&nic->objects);
    nic->doorbells.end = qemu_bh_new(bar_burst_ends, nic);
    nic->send_frames = qemu_bh_new(send_queues_run, nic);
    transport_init(nic);
    network_init(nic, &kNetworkUser);
    memory_region_init_io(&nic->bar, OBJECT(nic), &kBarOps, nic, TYPE_CONNECTX, kBarSize);
    pci_register_bar(pci, 0,
                     PCI_BASE_ADDRESS_SPACE_MEMORY | PCI_BASE_ADDRESS_MEM_PREFETCH |
                         PCI_BASE_ADDRESS_MEM_TYPE_64,
                     &nic->bar);
    if (pci_bus_is_express(pci_get_bus(pci))) {
        pcie_endpoint_cap_init(pci, 0);
    }
    if (msix_init_exclusive_bar(pci, kVectors, kMsixBar, error) < 0) {
        return;
    }
    for (unsigned i = 0; i < kVectors; i++) {
        msix_vector_use(pci, i);
    }
}

static void unrealize(PCIDevice* pci) {
    Connectx* nic = CONNECTX(pci);

    reset(DEVICE(nic));
    network_free(nic);
    transport_free(nic);
    qemu_bh_delete(nic->doorbells.end);
    qemu_bh_delete(nic->send_frames);
    msix_uninit_exclusive_bar(pci);
}

static Property properties[] = {
    DEFINE_PROP_BOOL("ethernet", Connectx, ethernet, true),
    DEFINE_PROP_BOOL("blueflame", Connectx, blueflame, true),
    DEFINE_PROP_NETDEV("netdev", Connectx, network.conf.peers),
    DEFINE_PROP_UINT32("lost", Connectx, wire.lost, 0),
    DEFINE_PROP_UINT32("doubled", Connectx, wire.doubled, 0),
    DEFINE_PROP_UINT32("reordered", Connectx, wire.reordered, 0),
    DEFINE_PROP_UINT32("corrupted", Connectx, wire.corrupted, 0),
    DEFINE_PROP_UINT64("seed", Connectx, wire.seed, 1),
    DEFINE_PROP_STRING("log", Connectx, log_path),
    DEFINE_PROP_UINT16("lid", Connectx, lid, 1),
    DEFINE_PROP_UINT64("guid", Connectx, guid, 0x5054000300abcd01ULL),
    DEFINE_PROP_END_OF_LIST(),
};

static void class_init(ObjectClass* class, void* data) {
    DeviceClass* device = DEVICE_CLASS(class);
    PCIDeviceClass* pci = PCI_DEVICE_CLASS(class);

    pci->realize = realize;
    pci->exit = unrealize;
    pci->vendor_id = kVendor;
    pci->device_id = kVirtualFunction;
    pci->class_id = PCI_CLASS_NETWORK_ETHERNET;
    device->reset = reset;
    device->desc = "model of a ConnectX virtual function";
    device_class_set_props(device, properties);
    set_bit(DEVICE_CATEGORY_NETWORK, device->categories);
}

static const TypeInfo kType = {
    .name = TYPE_CONNECTX,
    .parent = TYPE_PCI_DEVICE,
    .instance_size = sizeof(Connectx),
    .class_init = class_init,
    .interfaces = (InterfaceInfo[]){{INTERFACE_PCIE_DEVICE}, {}},
};

static void register_type(void) {
    type_register_static(&kType);
}

type_init(register_type)
