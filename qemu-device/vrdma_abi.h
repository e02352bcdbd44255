/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/*
 * The guard between this module and a QEMU that it was not built for.  QEMU
 * promises nothing about its internal interfaces, so two things are compared:
 * the version, and the sizes of the structures that both sides share.
 */
#ifndef VRDMA_ABI_H
#define VRDMA_ABI_H

#include "qemu/osdep.h"

/* Whether the module's QEMU and the running one have the same version (X.Y). */
bool vrdma_abi_version_matches(void);

/* Whether the shared structures have the same sizes.  Needs the types registered. */
bool vrdma_abi_types_match(void);

#endif
