/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 the vrdma authors */
/*
 * vrdma wire protocol: what the kernel of a guest needs to use the RNIC itself
 * (VRDMA_F_KERNEL_VERBS).  Its rings are those of rxe's user ABI
 * (<rdma/rdma_user_rxe.h>), with the additions described here.
 */
#ifndef VRDMA_KERNEL_H
#define VRDMA_KERNEL_H

#include <linux/types.h>

#include "vrdma_protocol.h"

/*
 * GET_DMA_MR: a region of all memory that the guest has at any time.  Guest-physical
 * address n has the address base + n in it.
 */
struct vrdma_cmd_get_dma_mr {
	struct vrdma_cmd_hdr hdr;
	__le32 pd;
	__le32 access;			/* enum ib_uverbs_access_flags */
	__le64 base;
};

/*
 * ALLOC_MR: a region that work requests REG_MR give its memory.  run_count runs at
 * the end of the request are the guest memory for struct vrdma_fast_reg and max_pages
 * page addresses.
 */
struct vrdma_cmd_alloc_mr {
	struct vrdma_cmd_hdr hdr;
	__le32 pd;
	__le32 max_pages;
	__le32 run_count;
	__le32 reserved;
};

/*
 * Describes what a work request REG_MR registers: [iova, iova + length).  The
 * guest-physical addresses (__le64) of the pages follow; the first page has the byte
 * at iova.
 */
struct vrdma_fast_reg {
	__le64 iova;
	__le64 length;
	__le32 page_size;		/* a power of two */
	__le32 page_count;
};

/* A work request REG_MR has this in the place of `wr` of rxe_send_wr. */
struct vrdma_wr_reg {
	__le64 reserved;
	__le32 key;			/* the region's key, with any low 8 bits */
	__le32 access;
};

/* Opcodes of REG_MR.  All other opcodes are those of <rdma/ib_user_verbs.h>. */
#define VRDMA_WR_REG_MR			32
#define VRDMA_WC_REG_MR			32	/* of the completion */

/*
 * wc_flags of a receive that a SEND_WITH_INV completed: ex.invalidate_rkey is valid.
 * The value is the one of user programs (enum ibv_wc_flags), not the kernel's.
 */
#define VRDMA_WC_WITH_INV		8

/*
 * wc_flags of a datagram's receive: the datagram came in the VLAN whose id is `slid`, which has
 * no other meaning where there are no LIDs.  The kernel's own value is another.
 */
#define VRDMA_WC_WITH_VLAN		0x100

/*
 * `sl` of a datagram's receive: which header is in front of it.  These are the values that user
 * programs know from mlx5, where UCX looks for them.
 */
#define VRDMA_WC_UDP_IPV6		0x9
#define VRDMA_WC_UDP_IPV4		0xa

#endif /* VRDMA_KERNEL_H */
