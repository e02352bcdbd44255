// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* ib_umem_get_va() takes the place of ib_umem_get() (Linux 7.2). */
#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <rdma/ib_umem.h>

static_assert(__same_type(ib_umem_get_va,
			  struct ib_umem *(struct ib_device *ibdev, unsigned long addr, size_t size,
					   int access)));
