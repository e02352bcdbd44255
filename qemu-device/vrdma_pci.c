/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
#include "vrdma_pci.h"

#include "qemu/osdep.h"
#include "hw/pci/pci.h"
#include "hw/virtio/virtio-pci.h"
#include "qapi/error.h"
#include "standard-headers/linux/virtio_pci.h"
#include "vrdma_compat.h"
#include "vrdma_device.h"

/* virtio-pci uses BAR 1 for MSI-X and BAR 4 (and 5) for its registers. */
#define SHM_BAR                     2
#define CLASS_NETWORK_INFINIBAND    0x0207

#define TYPE_VRDMA_PCI "vrdma-pci-base"
OBJECT_DECLARE_SIMPLE_TYPE(VRdmaPCI, VRDMA_PCI)

struct VRdmaPCI {
    VirtIOPCIProxy parent_obj;
    VRdma vdev;
};

/* virtio 1.2, 4.1.4.7: where the driver finds the shared memory region. */
static bool add_shm_capability(PCIDevice *pci, uint64_t size, Error **errp)
{
    struct virtio_pci_cap64 cap = {
        .cap.cap_len = sizeof(cap),
        .cap.cfg_type = VIRTIO_PCI_CAP_SHARED_MEMORY_CFG,
        .cap.bar = SHM_BAR,
        .cap.id = VRDMA_SHM_ID,
        .cap.length = cpu_to_le32((uint32_t)size),
        .length_hi = cpu_to_le32(size >> 32),
    };
    int position = pci_add_capability(pci, PCI_CAP_ID_VNDR, 0, sizeof(cap), errp);

    if (position < 0) {
        return false;
    }
    /* pci_add_capability() has written the generic head, id and next. */
    memcpy(pci->config + position + PCI_CAP_FLAGS, (uint8_t *)&cap + PCI_CAP_FLAGS,
           sizeof(cap) - PCI_CAP_FLAGS);
    return true;
}

static void vrdma_pci_realize(VirtIOPCIProxy *proxy, Error **errp)
{
    VRdma *s = &VRDMA_PCI(proxy)->vdev;
    PCIDevice *pci = &proxy->pci_dev;

    if (proxy->nvectors == (uint32_t)DEV_NVECTORS_UNSPECIFIED) {
        /* One more for configuration changes. */
        proxy->nvectors = vrdma_queue_count(s) + 1;
    }
    if (proxy->flags & VIRTIO_PCI_FLAG_MODERN_PIO_NOTIFY) {
        /*
         * It takes the shared memory region's BAR, and PCI Express leaves no room for its
         * capability.
         */
        error_setg(errp, "modern-pio-notify is not supported by the device");
        return;
    }
    virtio_pci_force_virtio_1(proxy);
    if (!qdev_realize(DEVICE(s), BUS(&proxy->bus), errp)) {
        return;
    }
    vrdma_device_plugged(s);
    if (!add_shm_capability(pci, s->shm_size, errp)) {
        qdev_unrealize(DEVICE(s));
        return;
    }
    pci_register_bar(pci, SHM_BAR,
                     PCI_BASE_ADDRESS_SPACE_MEMORY | PCI_BASE_ADDRESS_MEM_PREFETCH |
                     PCI_BASE_ADDRESS_MEM_TYPE_64,
                     vrdma_shm_region(s));
}

static VRDMA_PROPERTY_TABLE vrdma_pci_properties[] = {
    DEFINE_PROP_BIT("ioeventfd", VirtIOPCIProxy, flags, VIRTIO_PCI_FLAG_USE_IOEVENTFD_BIT, true),
    DEFINE_PROP_UINT32("vectors", VirtIOPCIProxy, nvectors, DEV_NVECTORS_UNSPECIFIED),
    VRDMA_PROPERTY_TABLE_END
};

static void vrdma_pci_class_init(ObjectClass *class, void *data)
{
    DeviceClass *device_class = DEVICE_CLASS(class);
    PCIDeviceClass *pci_class = PCI_DEVICE_CLASS(class);

    (void)data;
    device_class->desc = "RDMA device with a vhost-user backend (vrdmad)";
    device_class_set_props(device_class, vrdma_pci_properties);
    set_bit(DEVICE_CATEGORY_NETWORK, device_class->categories);
    VIRTIO_PCI_CLASS(class)->realize = vrdma_pci_realize;
    pci_class->vendor_id = PCI_VENDOR_ID_REDHAT_QUMRANET;
    pci_class->revision = VIRTIO_PCI_ABI_VERSION;
    pci_class->class_id = CLASS_NETWORK_INFINIBAND;
}

static void vrdma_pci_instance_init(Object *obj)
{
    VRdma *s = &VRDMA_PCI(obj)->vdev;

    virtio_instance_init_common(obj, s, sizeof(VRdma), TYPE_VRDMA);
    vrdma_alias_properties(obj, s);
}

void vrdma_pci_register_types(void)
{
    static const VirtioPCIDeviceTypeInfo info = {
        .base_name = TYPE_VRDMA_PCI,
        .generic_name = "vrdma-pci",
        .instance_size = sizeof(VRdmaPCI),
        .instance_init = vrdma_pci_instance_init,
        .class_init = vrdma_pci_class_init,
    };

    virtio_pci_types_register(&info);
}
