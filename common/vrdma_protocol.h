/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 the vrdma authors */
/*
 * vrdma wire protocol: device identity, queues, configuration space, feature
 * bits, headers of the control queue and events.  docs/spec.md is the prose; a
 * test keeps the two in step.  The headers of common/ are plain C, shared by the
 * guest driver, the daemon and the QEMU module.  Fields are little-endian unless
 * their type says otherwise.
 */
#ifndef VRDMA_PROTOCOL_H
#define VRDMA_PROTOCOL_H

#include <linux/types.h>

#include "vrdma_command_table.h"

/* Reserved for an RDMA device by the virtio specification, section 5. */
#define VRDMA_VIRTIO_ID			42
#define VRDMA_PROTOCOL_VERSION		1

/* The id of the device's shared memory region (virtio 1.2, 2.10). */
#define VRDMA_SHM_ID		1
/* In bytes; mappings in the shared memory region are multiples of it. */
#define VRDMA_SHM_PAGE_SIZE		4096

/* Virtqueues.  Completion vector n is served by VRDMA_VQ_COMPLETION + n. */
#define VRDMA_VQ_CONTROL		0
#define VRDMA_VQ_EVENT			1
#define VRDMA_VQ_DOORBELL		2
#define VRDMA_VQ_COMPLETION		3
#define VRDMA_MAX_COMP_VECTORS		64

/* Device feature bits, VRDMA_F_*. */
enum vrdma_feature {
#define VRDMA_FEATURE_BIT(name, bit, attribute)	name = bit,
	VRDMA_FEATURES(VRDMA_FEATURE_BIT)
#undef VRDMA_FEATURE_BIT
};

/* vrdma_config.status */
#define VRDMA_STATUS_READY		1	/* the device can be started */
#define VRDMA_STATUS_FAILED		2	/* the device must be reset */

/* Device configuration space. */
struct vrdma_config {
	__le32 protocol_version;	/* VRDMA_PROTOCOL_VERSION */
	__le32 driver_id;		/* enum rdma_driver_id of the RNIC's driver */
	__le32 uverbs_abi_version;	/* version of that driver's user ABI */
	__le32 port_count;
	__be64 node_guid;
	__u8   mac[6];			/* MAC address of the guest netdev to pair with */
	__le16 num_comp_vectors;	/* completion vectors, each with its virtqueue */
	__le64 shm_size;		/* bytes; written by the VMM before DRIVER_OK */
	__le32 max_qp;			/* QP handles are below this */
	__le32 max_cq;			/* CQ handles are below this */
	__le32 max_mr_runs;		/* runs in one VRDMA_CMD_REG_MR */
	__le32 max_udata;		/* bytes of udata of one command in either direction */
	__le32 status;			/* VRDMA_STATUS_*, changes at any time */
	__le32 reserved;
};

/* Header of every request on the control queue. */
struct vrdma_cmd_hdr {
	__le16 opcode;			/* enum vrdma_opcode */
	__le16 region_count;		/* structures vrdma_udata_region that follow */
	__le32 length;			/* bytes of the request structure with this header */
	__le32 uctx;			/* user context that issues it, or VRDMA_NO_HANDLE */
	__le16 udata_in_len;		/* vendor bytes that follow the request structure */
	__le16 udata_out_len;		/* room for vendor bytes behind the response structure */
};

/* Header of every response. */
struct vrdma_rsp_hdr {
	__le32 status;			/* 0 or a positive errno */
	__le32 length;			/* bytes of the response structure with this header */
	__le32 udata_len;		/* vendor bytes written behind the response structure */
	__le32 reserved;
};

#define VRDMA_NO_HANDLE			0xffffffffU

/* VRDMA_CMD_*; the structures of each are in the table. */
enum vrdma_opcode {
#define VRDMA_OPCODE(NAME, name, opcode, request, response, feature, flags) \
	VRDMA_CMD_##NAME = opcode,
	VRDMA_COMMANDS(VRDMA_OPCODE)
#undef VRDMA_OPCODE
#define VRDMA_OPCODE(NAME, opcode)	VRDMA_CMD_##NAME = opcode,
	VRDMA_RESERVED_COMMANDS(VRDMA_OPCODE)
#undef VRDMA_OPCODE
};

/* A buffer of the event queue, filled by the device. */
struct vrdma_event {
	__le32 type;			/* enum vrdma_event_type */
	__le32 handle;			/* handle of the object, or the port number */
};

/* Affiliated events (those of a CQ, QP or SRQ) have the meaning of IBTA 1.4, 11.6.3. */
enum vrdma_event_type {
	VRDMA_EVENT_CQ_ERR		= 1,	/* handle: CQ */
	VRDMA_EVENT_QP_FATAL		= 2,	/* handle: QP; so too for 3 to 7 */
	VRDMA_EVENT_QP_REQ_ERR		= 3,
	VRDMA_EVENT_QP_ACCESS_ERR	= 4,
	VRDMA_EVENT_COMM_EST		= 5,
	VRDMA_EVENT_SQ_DRAINED		= 6,
	VRDMA_EVENT_QP_LAST_WQE_REACHED	= 7,
	VRDMA_EVENT_SRQ_ERR		= 8,	/* handle: SRQ; so too for 9 */
	VRDMA_EVENT_SRQ_LIMIT_REACHED	= 9,
	VRDMA_EVENT_PORT_ACTIVE		= 16,	/* handle: port number; so too for 17 to 19 */
	VRDMA_EVENT_PORT_ERR		= 17,
	VRDMA_EVENT_GID_CHANGE		= 18,
	VRDMA_EVENT_IW_CM		= 19,	/* IW_GET_EVENT has something */
	VRDMA_EVENT_UCMA		= 20,	/* handle: file of ucma; GET_EVENT has something */
	VRDMA_EVENT_LID_CHANGE		= 21,	/* handle: port number; so too for 22 to 24 */
	VRDMA_EVENT_PKEY_CHANGE		= 22,
	VRDMA_EVENT_SM_CHANGE		= 23,
	VRDMA_EVENT_CLIENT_REREGISTER	= 24,
	VRDMA_EVENT_DEVICE_FATAL	= 32,
};

/* A buffer of a completion virtqueue, filled by the device. */
struct vrdma_completion_event {
	__le32 cq;			/* handle of the CQ that has a completion */
	__le32 reserved;
};

#endif /* VRDMA_PROTOCOL_H */
