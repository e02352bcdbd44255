// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// The command queue: entries in the host's memory that the driver owns or the adapter, and chains
// of mailboxes for what does not fit into an entry.
#ifndef VRDMA_CONNECTX_COMMANDS_QUEUE_H
#define VRDMA_CONNECTX_COMMANDS_QUEUE_H

#include "connectx/command.h"

// Logarithms of the number of entries and of their size.
enum { kLogCommands = 5, kLogCommandStride = 6 };

// The driver rang: the commands with these bits are the adapter's.
void command_queue_doorbell(Connectx* nic, uint32_t bits);

#endif
