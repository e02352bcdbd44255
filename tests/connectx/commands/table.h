// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// The operations that the adapter knows.
#ifndef VRDMA_CONNECTX_COMMANDS_TABLE_H
#define VRDMA_CONNECTX_COMMANDS_TABLE_H

#include "connectx/command.h"

typedef struct {
    unsigned operation;
    const char* name;
    Handler* handler;
    size_t in, out;  // the least bytes of request and answer
} Operation;

// NULL if the adapter does not know it.
const Operation* find_operation(unsigned operation);

#endif
