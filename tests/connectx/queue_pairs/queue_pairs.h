// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// Commands on queue pairs.
#ifndef VRDMA_CONNECTX_QUEUE_PAIRS_QUEUE_PAIRS_H
#define VRDMA_CONNECTX_QUEUE_PAIRS_QUEUE_PAIRS_H

#include "connectx/objects/qp.h"

Handler qp_create, qp_destroy, qp_query, qp_modify;

// Whether datagrams to a group reach the queue pair.
Handler qp_attach, qp_detach;

#endif
