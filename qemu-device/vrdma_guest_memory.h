/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
#ifndef VRDMA_GUEST_MEMORY_H
#define VRDMA_GUEST_MEMORY_H

#include "qemu/osdep.h"

/*
 * Whether the backend, another process, can map the guest's memory.  If not
 * *errp says how to start QEMU so that it can.
 */
bool vrdma_guest_memory_is_shared(Error **errp);

#endif
