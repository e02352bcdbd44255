// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* The address vector of a datagram is in the work request (Linux 5.17). */
#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <rdma/rdma_user_rxe.h>

static_assert(sizeof_field(struct rxe_send_wr, wr.ud.av));
