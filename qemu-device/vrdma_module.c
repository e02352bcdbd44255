/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/*
 * The function that libvrdma-qemu-preload.so calls, before QEMU's main().
 */
#include "qemu/osdep.h"
#include "qemu/module.h"
#include "vrdma_abi.h"
#include "vrdma_device.h"
#include "vrdma_pci.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT bool vrdma_qemu_fits(void);
EXPORT void vrdma_qemu_attach(void);

bool vrdma_qemu_fits(void)
{
    return vrdma_abi_version_matches();
}

static void register_types(void)
{
    if (vrdma_abi_types_match()) {
        vrdma_device_register_types();
        vrdma_pci_register_types();
    }
}

/*
 * The first in QEMU's list, since it was loaded before QEMU's own constructors
 * ran.  The layouts can only be compared when QEMU's types are registered, so
 * it puts the real work at the end of that same list.
 */
static void register_when_all_types_are_known(void)
{
    register_module_init(register_types, MODULE_INIT_QOM);
}

void vrdma_qemu_attach(void)
{
    register_module_init(register_when_all_types_are_known, MODULE_INIT_QOM);
}
