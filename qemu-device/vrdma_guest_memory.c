/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
#include "vrdma_guest_memory.h"

#include "exec/cpu-common.h"
#include "hw/boards.h"
#include "hw/mem/memory-device.h"
#include "qapi/error.h"
#include "vrdma_compat.h"
#include VRDMA_HOSTMEM_HEADER
#include VRDMA_QDICT_HEADER

static bool is_shared(HostMemoryBackend *backend)
{
    MemoryRegion *region = host_memory_backend_get_memory(backend);

    return region && region->ram_block && memory_region_get_fd(region) >= 0 &&
           qemu_ram_is_shared(region->ram_block);
}

#define HOW_TO_SHARE \
    "start QEMU with -object memory-backend-memfd,id=mem,size=SIZE,share=on " \
    "-machine memory-backend=mem (in libvirt: <memoryBacking> with " \
    "<source type='memfd'/> and <access mode='shared'/>)"

static void refuse(HostMemoryBackend *backend, Error **errp)
{
    const char *name = object_get_canonical_path_component(OBJECT(backend));

    error_setg(errp, "the guest's memory is not shared, so the backend cannot reach it (memory "
               "backend '%s'): every NUMA node and every DIMM needs a memory-backend-memfd or "
               "memory-backend-file with share=on; " HOW_TO_SHARE, name ? name : "?");
}

/* Counts the backends in use.  Stops at one that is not shared, and reports it. */
typedef struct {
    unsigned in_use;
    Error **errp;
} Search;

static int check_backend(Object *object, void *opaque)
{
    Search *search = opaque;
    HostMemoryBackend *backend =
        (HostMemoryBackend *)object_dynamic_cast(object, TYPE_MEMORY_BACKEND);

    if (!backend || !host_memory_backend_is_mapped(backend)) {
        return 0;
    }
    search->in_use++;
    if (is_shared(backend)) {
        return 0;
    }
    refuse(backend, search->errp);
    return 1;
}

bool vrdma_guest_memory_is_shared(Error **errp)
{
    Search search = { .errp = errp };
    Object *main_memory =
        object_property_get_link(qdev_get_machine(), "memory-backend", NULL);

    if (main_memory && !is_shared(MEMORY_BACKEND(main_memory))) {
        refuse(MEMORY_BACKEND(main_memory), errp);
        return false;
    }
    /* NUMA nodes without a common backend, DIMMs, and memory of virtio-mem. */
    if (object_child_foreach(object_get_objects_root(), check_backend, &search)) {
        return false;
    }
    if (!main_memory && search.in_use == 0) {
        error_setg(errp, "the guest's memory is not shared, so the backend cannot reach it: "
                   HOW_TO_SHARE);
        return false;
    }
    return true;
}

/*
 * QEMU asks this about each device before it makes it, and makes none when there is an error.
 * It is the only place where a device can refuse another: later, a DIMM is plugged already
 * when a vhost device learns of it.
 */
static bool refuse_private_memory(DeviceListener *listener, const QDict *options, bool from_json,
                                  Error **errp)
{
    const char *driver = qdict_get_try_str(options, "driver");
    const char *name = qdict_get_try_str(options, "memdev");
    ObjectClass *class = driver ? module_object_class_by_name(driver) : NULL;
    Object *backend;

    (void)listener;
    (void)from_json;
    if (!name || !class || !object_class_dynamic_cast(class, TYPE_MEMORY_DEVICE)) {
        return false;
    }
    backend = object_resolve_path_type(name, TYPE_MEMORY_BACKEND, NULL);
    if (backend && !is_shared(MEMORY_BACKEND(backend))) {
        refuse(MEMORY_BACKEND(backend), errp);
    }
    return false;
}

void vrdma_guest_memory_watch(DeviceListener *listener)
{
    listener->hide_device = refuse_private_memory;
    device_listener_register(listener);
}
