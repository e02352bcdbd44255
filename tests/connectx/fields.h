// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// The fields of a structure that the model does something with, or may leave alone.
#ifndef VRDMA_CONNECTX_FIELDS_H
#define VRDMA_CONNECTX_FIELDS_H

#include "connectx/connectx.h"
#include "connectx/ifc.h"

typedef struct {
    size_t offset, length;  // in bits
} Field;

#define KNOWN(type, field) \
    { IFC_OFF(type, field), IFC_LEN(type, field) }

// A bit outside of the fields that is set is a violation: either the driver has set what is
// reserved, or it wants what the adapter did not offer.
void fields_check(Connectx* nic, const char* name, const void* structure, size_t bytes,
                  const Field* fields, size_t count);

#endif
