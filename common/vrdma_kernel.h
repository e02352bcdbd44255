/* SPDX-License-Identifier: BSD-3-Clause */
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
 * GET_DMA_MR: all of the guest's memory, as it is at any time.  The address of
 * guest-physical address n is base + n.  -> vrdma_rsp_reg_mr
 */
struct vrdma_cmd_get_dma_mr {
	struct vrdma_cmd_hdr hdr;
	__le32 pd;
	__le32 access;			/* enum ib_uverbs_access_flags */
	__le64 base;
};

/*
 * ALLOC_MR: a region that work requests REG_MR give its memory.  Followed by
 * run_count runs of the guest memory that holds struct vrdma_fast_reg and
 * max_pages page addresses.  -> vrdma_rsp_reg_mr
 */
struct vrdma_cmd_alloc_mr {
	struct vrdma_cmd_hdr hdr;
	__le32 pd;
	__le32 max_pages;
	__le32 run_count;
	__le32 reserved;
};

/*
 * What a REG_MR registers: [iova, iova + length).  Behind it the guest-physical
 * addresses (__le64) of its pages; the first one has the byte at iova.
 */
struct vrdma_fast_reg {
	__le64 iova;
	__le64 length;
	__le32 page_size;		/* a power of two */
	__le32 page_count;
};

/* A work request REG_MR: in the place of `wr` of rxe_send_wr. */
struct vrdma_wr_reg {
	__le64 reserved;
	__le32 key;			/* the region's, but for any low 8 bits */
	__le32 access;
};

/* The opcodes of REG_MR; the others are those of <rdma/ib_user_verbs.h>. */
#define VRDMA_WR_REG_MR			32
#define VRDMA_WC_REG_MR			32	/* in its completion */

/*
 * wc_flags of a receive that a SEND_WITH_INV completed: ex.invalidate_rkey is valid.
 * The value that user programs know, which is not the kernel's.
 */
#define VRDMA_WC_WITH_INV		8

#endif /* VRDMA_KERNEL_H */
