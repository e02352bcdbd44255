/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
#include "vrdma_guest_memory.h"

#include "exec/cpu-common.h"
#include "hw/boards.h"
#include "qapi/error.h"
#include "vrdma_compat.h"
#include VRDMA_HOSTMEM_HEADER

static bool is_shared(HostMemoryBackend *backend)
{
    MemoryRegion *region = host_memory_backend_get_memory(backend);

    return region && region->ram_block && memory_region_get_fd(region) >= 0 &&
           qemu_ram_is_shared(region->ram_block);
}

static int is_shared_and_in_use(Object *object, void *unused)
{
    HostMemoryBackend *backend =
        (HostMemoryBackend *)object_dynamic_cast(object, TYPE_MEMORY_BACKEND);

    (void)unused;
    return backend && host_memory_backend_is_mapped(backend) && is_shared(backend);
}

bool vrdma_guest_memory_is_shared(Error **errp)
{
    Object *main_memory =
        object_property_get_link(qdev_get_machine(), "memory-backend", NULL);
    bool shared;

    if (main_memory) {
        shared = is_shared(MEMORY_BACKEND(main_memory));
    } else {
        /* The memory is that of NUMA nodes, each with a backend of its own. */
        shared = object_child_foreach(object_get_objects_root(), is_shared_and_in_use, NULL);
    }
    if (!shared) {
        error_setg(errp, "the guest's memory is not shared, so the backend cannot reach it: "
                   "start QEMU with -object memory-backend-memfd,id=mem,size=SIZE,share=on "
                   "-machine memory-backend=mem (in libvirt: <memoryBacking> with "
                   "<source type='memfd'/> and <access mode='shared'/>)");
    }
    return shared;
}
