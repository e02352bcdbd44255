// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// The log of the adapter: a file, whose lines that begin with "violation" a correct driver and a
// correct library never cause.
#ifndef VRDMA_CONNECTX_LOG_H
#define VRDMA_CONNECTX_LOG_H

#include "connectx/connectx.h"

// Opens the file that the property `log` names, or takes standard error.  False: errno says why.
bool log_open(Connectx* nic);

// What was asked, and what came of it; errors that a program of the host may cause are among it.
void log_say(Connectx* nic, const char* format, ...) G_GNUC_PRINTF(2, 3);

// What the interface forbids.  The line is written and counted.
void log_violation(Connectx* nic, const char* format, ...) G_GNUC_PRINTF(2, 3);

#endif
