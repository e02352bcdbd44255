// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// Protection domains.
#ifndef VRDMA_CONNECTX_OBJECTS_PD_H
#define VRDMA_CONNECTX_OBJECTS_PD_H

#include "connectx/command.h"

// An object begins or ceases to be of a protection domain; false if there is no such domain.
bool pd_use(Connectx* nic, uint32_t number);
void pd_unuse(Connectx* nic, uint32_t number);

Handler pd_alloc, pd_dealloc;

#endif
