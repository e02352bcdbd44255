// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// The PCI device: a ConnectX-5 Virtual Function, as its driver knows it.
#include "connectx/adapter.h"
#include "connectx/bar.h"
#include "connectx/log.h"
#include "connectx/roce/ib_frame.h"
// After osdep.h, which the headers above begin with.
#include "hw/pci/msix.h"
#include "hw/pci/pcie.h"
#include "hw/qdev-properties.h"
#include "qapi/error.h"
#include "qemu/module.h"

enum {
    kVendor = 0x15b3,
    kVirtualFunction = 0x1018,  // ConnectX-5
    kMsixBar = 2,
};

static void reset(DeviceState* device) {
    adapter_reset(CONNECTX(device));
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
    adapter_init(nic);
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

    adapter_free(nic);
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
