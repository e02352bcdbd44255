// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/fields.h"

#include "connectx/log.h"

enum { kMostBytes = 4096 };

void fields_check(Connectx* nic, const char* name, const void* structure, size_t bytes,
                  const Field* fields, size_t count) {
    uint8_t rest[kMostBytes];

    g_assert(bytes <= sizeof(rest));
    memcpy(rest, structure, bytes);
    for (size_t i = 0; i < count; i++) {
        ifc_set(rest, fields[i].offset, fields[i].length, 0);
    }
    for (size_t i = 0; i < bytes; i++) {
        if (rest[i]) {
            log_violation(nic, "%s: bits %#x of byte %#zx are set", name, rest[i], i);
        }
    }
}
