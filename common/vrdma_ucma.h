/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 the vrdma authors */
/*
 * vrdma wire protocol: the user interface of the RDMA connection manager,
 * <rdma/rdma_user_cm.h>, forwarded to the device's side (VRDMA_F_UCMA).
 */
#ifndef VRDMA_UCMA_H
#define VRDMA_UCMA_H

#include <linux/types.h>

#include "vrdma_protocol.h"

/* UCMA_OPEN: the response has the handle of a new file. */
struct vrdma_cmd_ucma_open {
	struct vrdma_cmd_hdr hdr;
	__le32 ibdev_index;		/* index of the guest's RDMA device, for answers */
	__le32 reserved;
};

/*
 * UCMA_COMMAND: udata of the request is the command's structure as the user wrote
 * it, without struct rdma_ucm_cmd_hdr.  Pointers in the structure mean nothing.
 * SET_OPTION has the option's value, optlen bytes, behind its structure.  udata of the
 * response is what the user finds at the response pointer.
 */
struct vrdma_cmd_ucma_command {
	struct vrdma_cmd_hdr hdr;
	__le32 file;
	__le32 command;			/* RDMA_USER_CM_CMD_* */
	__le32 other_file;		/* MIGRATE_ID: the file that has the id now, for fd */
	__le32 reserved;
};

#define VRDMA_UCMA_MORE_EVENTS		1	/* GET_EVENT: there is another event */

struct vrdma_rsp_ucma_command {
	struct vrdma_rsp_hdr hdr;
	__le32 flags;			/* VRDMA_UCMA_* */
	__le32 reserved;
};

#endif /* VRDMA_UCMA_H */
