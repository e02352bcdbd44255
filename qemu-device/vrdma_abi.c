/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
#include "vrdma_abi.h"

#include "chardev/char-socket.h"
#include "exec/memory.h"
#include "hw/virtio/virtio-bus.h"
#include "hw/virtio/virtio-pci.h"
#include "hw/virtio/virtio.h"
#include "qapi/qapi-commands-control.h"
#include "qapi/qapi-types-control.h"
#include "vrdma_compat.h"

/*
 * The head of QOM's own record of a type, to which every class points.  QEMU
 * 10.0 has no function any more that tells an instance's size.  The record is
 * private to qom/object.c; it is read only after the version has matched, and
 * only believed when the name in it is right.
 */
typedef struct {
    const char *name;
    size_t class_size;
    size_t instance_size;
} TypeRecord;

/* The module looks at instances only: 10.0's later releases have a larger ChardevClass. */
#define CLASS_UNUSED 0

static const struct {
    const char *type;
    size_t class_size, instance_size;
} shared_types[] = {
    { TYPE_DEVICE, sizeof(DeviceClass), sizeof(DeviceState) },
    { TYPE_PCI_DEVICE, sizeof(PCIDeviceClass), sizeof(PCIDevice) },
    { TYPE_VIRTIO_DEVICE, sizeof(VirtioDeviceClass), sizeof(VirtIODevice) },
    { TYPE_VIRTIO_PCI, sizeof(VirtioPCIClass), sizeof(VirtIOPCIProxy) },
    { TYPE_VIRTIO_BUS, sizeof(VirtioBusClass), sizeof(VirtioBusState) },
    { TYPE_CHARDEV_SOCKET, CLASS_UNUSED, sizeof(SocketChardev) },
    { TYPE_MEMORY_REGION, sizeof(MemoryRegionClass), sizeof(MemoryRegion) },
};

/* "7.2.22 (Debian 1:7.2+dfsg-7)" */
static char *running_version(const VersionInfo *info)
{
    return g_strdup_printf("%" PRId64 ".%" PRId64 ".%" PRId64 "%s%s", info->qemu->major,
                           info->qemu->minor, info->qemu->micro, *info->package ? " " : "",
                           info->package);
}

/* QEMU's error_report() does not work yet when these checks are made. */
static void G_GNUC_PRINTF(1, 2) complain(const char *format, ...)
{
    va_list args;

    fputs("vrdma: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

bool vrdma_abi_version_matches(void)
{
    g_autoptr(VersionInfo) info = qmp_query_version(NULL);
    g_autofree char *running = running_version(info);

    if (info->qemu->major == QEMU_VERSION_MAJOR && info->qemu->minor == QEMU_VERSION_MINOR) {
        return true;
    }
    complain("this device module was built for QEMU %s and cannot run in QEMU %s; "
             "build the module for that version with qemu-device/build.sh",
             VRDMA_BUILT_FOR, running);
    return false;
}

static const TypeRecord *type_record(const char *type)
{
    ObjectClass *class = object_class_by_name(type);
    const TypeRecord *record = class ? *(const TypeRecord **)class : NULL;

    return record && g_str_equal(record->name, type) ? record : NULL;
}

bool vrdma_abi_types_match(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(shared_types); i++) {
        const TypeRecord *record = type_record(shared_types[i].type);

        if (!record ||
            (shared_types[i].class_size != CLASS_UNUSED &&
             record->class_size != shared_types[i].class_size) ||
            record->instance_size != shared_types[i].instance_size) {
            g_autoptr(VersionInfo) info = qmp_query_version(NULL);
            g_autofree char *running = running_version(info);

            complain("this device module was built for QEMU %s, and QEMU %s has another layout "
                     "of '%s'; build the module from the source of the running QEMU "
                     "(qemu-device/README.md)",
                     VRDMA_BUILT_FOR, running, shared_types[i].type);
            return false;
        }
    }
    return true;
}
