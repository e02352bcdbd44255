// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// The end of a queue pair.
#ifndef VRDMA_CONNECTX_TRANSPORT_FAILURE_H
#define VRDMA_CONNECTX_TRANSPORT_FAILURE_H

#include "connectx/objects/qp.h"

// Ends everything that is posted, with completions that say so.
void qp_to_error(Connectx* nic, Qp* qp);

#endif
