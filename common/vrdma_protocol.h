/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vrdma wire protocol: device identity, queues, configuration space, feature
 * bits and the headers of the control queue.  The prose is docs/spec.md; a test
 * keeps the two in step.  Plain C, shared by the guest driver, the daemon and
 * the QEMU module.  All fields are little-endian unless their type says other.
 */
#ifndef VRDMA_PROTOCOL_H
#define VRDMA_PROTOCOL_H

#include <linux/types.h>

/* Reserved for an RDMA device by the virtio specification, section 5. */
#define VRDMA_VIRTIO_ID			42
#define VRDMA_PROTOCOL_VERSION		1

/* The shared-memory region (virtio 1.2, 2.10) that is the window. */
#define VRDMA_SHM_ID		1
/* Granularity of everything that is mapped through the window. */
#define VRDMA_SHM_PAGE_SIZE		4096

/* Virtqueues.  Completion vector n is served by VRDMA_VQ_COMPLETION + n. */
#define VRDMA_VQ_CONTROL		0
#define VRDMA_VQ_EVENT			1
#define VRDMA_VQ_DOORBELL		2
#define VRDMA_VQ_COMPLETION		3
#define VRDMA_MAX_COMP_VECTORS		64

/* Device feature bits (virtio 1.2, 2.2: bits 0 to 23 belong to the device). */
#define VRDMA_F_SRQ			0	/* shared receive queues */
#define VRDMA_F_CQ_DOORBELL		1	/* arming a CQ must ring its doorbell */
#define VRDMA_F_MW			2	/* memory windows */
#define VRDMA_F_REREG_MR		3	/* VRDMA_CMD_REREG_MR */
#define VRDMA_F_RESIZE_CQ		4	/* VRDMA_CMD_RESIZE_CQ */
#define VRDMA_F_MCAST			5	/* multicast attach and detach */
#define VRDMA_F_IWARP			6	/* the RNIC speaks iWARP, not RoCE */
#define VRDMA_F_IW_CM			7	/* connections of an iWARP RNIC */
#define VRDMA_F_KERNEL_VERBS		8	/* the guest's kernel may use the RNIC */
#define VRDMA_F_UCMA			9	/* the RDMA connection manager's user interface */

/* Device configuration space. */
struct vrdma_config {
	__le32 protocol_version;	/* VRDMA_PROTOCOL_VERSION */
	__le32 driver_id;		/* enum rdma_driver_id of the host RNIC */
	__le32 uverbs_abi_version;	/* of that driver's user ABI */
	__le32 port_count;
	__be64 node_guid;
	__u8   mac[6];			/* of the guest netdev to pair with */
	__le16 num_comp_vectors;	/* completion queues that exist */
	__le64 shm_size;		/* bytes; written by the VMM before DRIVER_OK */
	__le32 max_qp;			/* QP handles are below this */
	__le32 max_cq;			/* CQ handles are below this */
	__le32 max_mr_runs;		/* runs in one VRDMA_CMD_REG_MR */
	__le32 max_udata;		/* bytes of udata in either direction */
};

/* Header of every request on the control queue. */
struct vrdma_cmd_hdr {
	__le16 opcode;			/* enum vrdma_opcode */
	__le16 region_count;		/* memory behind pointers in udata (vrdma_udata.h) */
	__le32 length;			/* of the fixed request, this header included */
	__le32 uctx;			/* user context that issues it, or VRDMA_NO_HANDLE */
	__le16 udata_in_len;		/* vendor bytes that follow the request */
	__le16 udata_out_len;		/* room for vendor bytes behind the response */
};

/* Header of every response. */
struct vrdma_rsp_hdr {
	__le32 status;			/* 0 or a positive errno */
	__le32 length;			/* of the fixed response, this header included */
	__le32 udata_len;		/* vendor bytes written behind the response */
	__le32 reserved;
};

#define VRDMA_NO_HANDLE			0xffffffffU

enum vrdma_opcode {
	/* device */
	VRDMA_CMD_QUERY_DEVICE		= 0x0001,
	VRDMA_CMD_QUERY_PORT		= 0x0002,
	VRDMA_CMD_ADD_GID		= 0x0003,
	VRDMA_CMD_DEL_GID		= 0x0004,
	VRDMA_CMD_MAP_DOORBELLS		= 0x0005,
	VRDMA_CMD_QUERY_UDATA_POINTER	= 0x0006,
	/* user contexts and mappings */
	VRDMA_CMD_ALLOC_UCONTEXT	= 0x0010,
	VRDMA_CMD_DEALLOC_UCONTEXT	= 0x0011,
	VRDMA_CMD_MMAP			= 0x0012,
	VRDMA_CMD_MUNMAP		= 0x0013,
	/* protection domains */
	VRDMA_CMD_ALLOC_PD		= 0x0020,
	VRDMA_CMD_DEALLOC_PD		= 0x0021,
	/* memory regions and windows */
	VRDMA_CMD_REG_MR		= 0x0030,
	VRDMA_CMD_REREG_MR		= 0x0031,
	VRDMA_CMD_DEREG_MR		= 0x0032,
	VRDMA_CMD_GET_DMA_MR		= 0x0033,
	VRDMA_CMD_ALLOC_MR		= 0x0034,
	VRDMA_CMD_ALLOC_MW		= 0x0038,
	VRDMA_CMD_DEALLOC_MW		= 0x0039,
	/* completion queues */
	VRDMA_CMD_CREATE_CQ		= 0x0040,
	VRDMA_CMD_RESIZE_CQ		= 0x0041,
	VRDMA_CMD_DESTROY_CQ		= 0x0042,
	/* shared receive queues */
	VRDMA_CMD_CREATE_SRQ		= 0x0050,
	VRDMA_CMD_MODIFY_SRQ		= 0x0051,
	VRDMA_CMD_QUERY_SRQ		= 0x0052,
	VRDMA_CMD_DESTROY_SRQ		= 0x0053,
	/* queue pairs */
	VRDMA_CMD_CREATE_QP		= 0x0060,
	VRDMA_CMD_MODIFY_QP		= 0x0061,
	VRDMA_CMD_QUERY_QP		= 0x0062,
	VRDMA_CMD_DESTROY_QP		= 0x0063,
	/* address handles */
	VRDMA_CMD_CREATE_AH		= 0x0070,
	VRDMA_CMD_MODIFY_AH		= 0x0071,
	VRDMA_CMD_QUERY_AH		= 0x0072,
	VRDMA_CMD_DESTROY_AH		= 0x0073,
	/* multicast */
	VRDMA_CMD_ATTACH_MCAST		= 0x0080,
	VRDMA_CMD_DETACH_MCAST		= 0x0081,
	/* connections of an iWARP RNIC */
	VRDMA_CMD_IW_CONNECT		= 0x0090,
	VRDMA_CMD_IW_LISTEN		= 0x0091,
	VRDMA_CMD_IW_ACCEPT		= 0x0092,
	VRDMA_CMD_IW_REJECT		= 0x0093,
	VRDMA_CMD_IW_CLOSE		= 0x0094,
	VRDMA_CMD_IW_GET_EVENT		= 0x0095,
	/* the RDMA connection manager's user interface */
	VRDMA_CMD_UCMA_OPEN		= 0x00a0,
	VRDMA_CMD_UCMA_CLOSE		= 0x00a1,
	VRDMA_CMD_UCMA_COMMAND		= 0x00a2,
};

/* A buffer of the event queue, filled by the device. */
struct vrdma_event {
	__le32 type;			/* enum vrdma_event_type */
	__le32 handle;			/* of the object, or the port number */
};

/* The affiliated ones carry the meaning of IBTA 1.4, 11.6.3. */
enum vrdma_event_type {
	VRDMA_EVENT_CQ_ERR		= 1,	/* handle: CQ */
	VRDMA_EVENT_QP_FATAL		= 2,	/* handle: QP, as in the next five */
	VRDMA_EVENT_QP_REQ_ERR		= 3,
	VRDMA_EVENT_QP_ACCESS_ERR	= 4,
	VRDMA_EVENT_COMM_EST		= 5,
	VRDMA_EVENT_SQ_DRAINED		= 6,
	VRDMA_EVENT_QP_LAST_WQE_REACHED	= 7,
	VRDMA_EVENT_SRQ_ERR		= 8,	/* handle: SRQ */
	VRDMA_EVENT_SRQ_LIMIT_REACHED	= 9,
	VRDMA_EVENT_PORT_ACTIVE		= 16,	/* handle: port number */
	VRDMA_EVENT_PORT_ERR		= 17,
	VRDMA_EVENT_GID_CHANGE		= 18,
	VRDMA_EVENT_IW_CM		= 19,	/* IW_GET_EVENT has something */
	VRDMA_EVENT_UCMA		= 20,	/* handle: file; its GET_EVENT has something */
	VRDMA_EVENT_DEVICE_FATAL	= 32,
};

/* A buffer of a completion queue (the virtqueue), filled by the device. */
struct vrdma_completion_event {
	__le32 cq;			/* handle of the CQ that has a completion */
	__le32 reserved;
};

#endif /* VRDMA_PROTOCOL_H */
