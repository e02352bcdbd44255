/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 the vrdma authors */
/*
 * vrdma wire protocol: user pointers in a vendor's udata.
 *
 * A vendor's user library may put addresses of its own memory into udata: a queue's
 * buffer, a doorbell record, a place for an answer.  The device tells the driver which
 * u64 are addresses and how long the memory behind each is (QUERY_UDATA_POINTER).  The
 * driver pins that memory and sends its runs along (struct vrdma_udata_region).  The
 * device puts an address of the host in the place of the u64.  Both sides find the
 * memory with vrdma_udata_memory().
 */
#ifndef VRDMA_UDATA_H
#define VRDMA_UDATA_H

#include <linux/types.h>

#include "vrdma_protocol.h"

/* Sources of a term's count. */
#define VRDMA_COUNT_NONE		0	/* the term is not there */
#define VRDMA_COUNT_UDATA		1	/* u32 at count_offset in udata */
#define VRDMA_COUNT_CQE			2	/* CREATE_CQ's and RESIZE_CQ's cqe */
/* CREATE_SRQ's and MODIFY_SRQ's max_wr, CREATE_QP's max_recv_wr */
#define VRDMA_COUNT_MAX_WR		3
#define VRDMA_COUNT_MAX_SEND_WR		4	/* CREATE_QP's */
#define VRDMA_COUNT_UDATA_LOG		5	/* 2 to the power of the u8 at count_offset */
/* With this bit, the count plus one is rounded up to a power of two. */
#define VRDMA_COUNT_ROUND		0x80
/* With this bit, the count is rounded up to a power of two; 0 remains 0. */
#define VRDMA_COUNT_ROUND_UP		0x40

/* Sources of a term's scale, by which the count is multiplied. */
#define VRDMA_SCALE_CONSTANT		0	/* a */
#define VRDMA_SCALE_UDATA		1	/* u32 at scale_offset in udata */
#define VRDMA_SCALE_UDATA_SHIFT		2	/* 2 to the power of the u32 at scale_offset */
/*
 * a + b * CREATE_SRQ's max_sge or CREATE_QP's max_recv_sge, or 1 where that is 0, rounded up to a
 * power of two: an element has room for one scatter element at least.
 */
#define VRDMA_SCALE_MAX_SGE		3
#define VRDMA_SCALE_UDATA_LOG		4	/* 2 to the power of the u8 at scale_offset */

struct vrdma_udata_term {
	__u8   count;			/* VRDMA_COUNT_* */
	__u8   scale;			/* VRDMA_SCALE_* */
	/* Where the count is in udata; for counts of the command, what is added to them. */
	__le16 count_offset;
	__le16 scale_offset;
	__le16 reserved;
	__le32 scale_a;
	__le32 scale_b;
};

#define VRDMA_UDATA_TERMS		2

/*
 * The memory is in use as long as the object lives that the command creates or changes (a
 * CQ, SRQ or QP), not only as long as the command takes.
 */
#define VRDMA_UDATA_POINTER_LASTING	1
/* The memory is the whole pages (VRDMA_SHM_PAGE_SIZE) around the bytes. */
#define VRDMA_UDATA_POINTER_PAGES	2
/* The length is rounded up to whole pages, wherever the memory begins. */
#define VRDMA_UDATA_POINTER_ROUND	4

/* The u64 at `offset` of the udata of `opcode` is a pointer, or 0. */
struct vrdma_udata_pointer {
	__le16 opcode;			/* enum vrdma_opcode */
	__le16 offset;
	__le32 flags;			/* VRDMA_UDATA_POINTER_* */
	__le64 length;			/* bytes, in addition to those of the terms */
	struct vrdma_udata_term terms[VRDMA_UDATA_TERMS];
};

/* QUERY_UDATA_POINTER: the pointer number `index` of `count`. */
struct vrdma_cmd_query_udata_pointer {
	struct vrdma_cmd_hdr hdr;
	__le32 index;
	__le32 reserved;
};

struct vrdma_rsp_query_udata_pointer {
	struct vrdma_rsp_hdr hdr;
	__le32 count;			/* pointers that there are; numbers are below this */
	__le32 reserved;
	struct vrdma_udata_pointer pointer;
};

/*
 * Memory behind the pointer at `offset` of this command's udata.  It begins at the
 * pointer, or with VRDMA_UDATA_POINTER_PAGES at the start of the pointer's page.
 */
struct vrdma_udata_region {
	__le16 offset;
	__le16 reserved;
	__le32 run_count;
	__le64 length;			/* bytes; the sum of the runs */
};

#define VRDMA_MAX_UDATA_REGIONS		4	/* in one command */
#define VRDMA_MAX_UDATA_POINTERS	32	/* of one device */
#define VRDMA_MAX_UDATA_OFFSET		0x7fff	/* of a pointer */

#endif /* VRDMA_UDATA_H */
