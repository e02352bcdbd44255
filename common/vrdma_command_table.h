/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 the vrdma authors */
/*
 * vrdma wire protocol: the list of feature bits and the list of commands.  Each is
 * written here once.  enum vrdma_feature and enum vrdma_opcode (vrdma_protocol.h),
 * the flags of a command (vrdma_check.h), the attributes of an RNIC, the features of
 * the device and of the guest's driver, the device's verbs and its dispatcher, the
 * fuzzer and the comparison with docs/spec.md are derived from these lists.
 *
 * The lists are X-macros: the argument is a macro that is expanded once for each row.
 */
#ifndef VRDMA_COMMAND_TABLE_H
#define VRDMA_COMMAND_TABLE_H

/*
 * X(name, bit, attribute): a device feature bit (virtio 1.2, 2.2: bits 0 to 23 belong
 * to the device).  `attribute` is a field of the back-end's rnic::DeviceAttributes: an
 * RNIC sets it when the device is to offer the feature.
 */
#define VRDMA_FEATURES(X) \
	/* shared receive queues */ \
	X(VRDMA_F_SRQ, 0, has_srq) \
	/* arming a CQ must ring its doorbell, as the RNIC has to be told of it */ \
	X(VRDMA_F_CQ_DOORBELL, 1, cq_doorbell) \
	/* memory windows */ \
	X(VRDMA_F_MW, 2, has_mw) \
	/* VRDMA_CMD_REREG_MR */ \
	X(VRDMA_F_REREG_MR, 3, has_rereg_mr) \
	/* VRDMA_CMD_RESIZE_CQ */ \
	X(VRDMA_F_RESIZE_CQ, 4, has_resize_cq) \
	/* multicast attach and detach */ \
	X(VRDMA_F_MCAST, 5, has_mcast) \
	/* the RNIC speaks iWARP; without the feature, RoCE */ \
	X(VRDMA_F_IWARP, 6, iwarp) \
	/* connections of an iWARP RNIC: its ports have a connection manager */ \
	X(VRDMA_F_IW_CM, 7, iw_cm) \
	/* the guest's kernel may use the RNIC itself */ \
	X(VRDMA_F_KERNEL_VERBS, 8, kernel_verbs) \
	/* the RDMA connection manager's user interface, which ports of a RoCE RNIC forward */ \
	X(VRDMA_F_UCMA, 9, ucma) \
	/* VRDMA_CMD_QUERY_COUNTERS */ \
	X(VRDMA_F_COUNTERS, 10, has_counters) \
	/* the RNIC's port is on InfiniBand: it has LIDs and partition keys, and no netdev */ \
	X(VRDMA_F_INFINIBAND, 11, infiniband) \
	/* extended reliable connections: domains, their SRQs and queue pairs */ \
	X(VRDMA_F_XRC, 12, has_xrc)

/* The value for a command that every device has. */
#define VRDMA_NO_FEATURE		0xffffffffU

/* Flags of a command. */
/* The command gives something back: a device that has lost its RNIC answers with success. */
#define VRDMA_COMMAND_RELEASES		1
/* Runs of guest memory end the request; the request structure has their run_count. */
#define VRDMA_COMMAND_HAS_RUNS		2
/* The udata of the request may have user pointers (vrdma_udata.h). */
#define VRDMA_COMMAND_HAS_POINTERS	4
/* With HAS_POINTERS: the pointers may be VRDMA_UDATA_POINTER_LASTING. */
#define VRDMA_COMMAND_KEEPS_POINTERS	8

/*
 * X(NAME, name, opcode, request, response, feature, flags): a command.  VRDMA_CMD_NAME
 * is its constant and `name` the function of the device that executes it.  `request`
 * and `response` are the names of its structures; request_valid() is the check of the
 * request (vrdma_check.h).  `feature` is what the device must offer, or VRDMA_NO_FEATURE,
 * and `flags` a sum of VRDMA_COMMAND_*.  Rows are sorted by opcode.
 */
#define VRDMA_COMMANDS(X) \
	/* device and port */ \
	X(QUERY_DEVICE, query_device, 0x0001, vrdma_cmd_empty, vrdma_rsp_query_device, \
	  VRDMA_NO_FEATURE, 0) \
	X(QUERY_PORT, query_port, 0x0002, vrdma_cmd_query_port, vrdma_rsp_query_port, \
	  VRDMA_NO_FEATURE, 0) \
	X(ADD_GID, add_gid, 0x0003, vrdma_cmd_gid, vrdma_rsp_empty, VRDMA_NO_FEATURE, 0) \
	X(DEL_GID, del_gid, 0x0004, vrdma_cmd_gid, vrdma_rsp_empty, VRDMA_NO_FEATURE, \
	  VRDMA_COMMAND_RELEASES) \
	X(MAP_DOORBELLS, map_doorbells, 0x0005, vrdma_cmd_empty, vrdma_rsp_map_doorbells, \
	  VRDMA_NO_FEATURE, 0) \
	X(QUERY_UDATA_POINTER, query_udata_pointer, 0x0006, vrdma_cmd_query_udata_pointer, \
	  vrdma_rsp_query_udata_pointer, VRDMA_NO_FEATURE, 0) \
	X(QUERY_COUNTERS, query_counters, 0x0007, vrdma_cmd_query_port, \
	  vrdma_rsp_query_counters, VRDMA_F_COUNTERS, 0) \
	X(QUERY_IB_PORT, query_ib_port, 0x0008, vrdma_cmd_query_port, vrdma_rsp_query_ib_port, \
	  VRDMA_F_INFINIBAND, 0) \
	X(QUERY_GID, query_gid, 0x0009, vrdma_cmd_query_table, vrdma_rsp_query_gid, \
	  VRDMA_F_INFINIBAND, 0) \
	X(QUERY_PKEY, query_pkey, 0x000a, vrdma_cmd_query_table, vrdma_rsp_query_pkey, \
	  VRDMA_F_INFINIBAND, 0) \
	/* user contexts and mappings */ \
	X(ALLOC_UCONTEXT, alloc_ucontext, 0x0010, vrdma_cmd_empty, vrdma_rsp_handle, \
	  VRDMA_NO_FEATURE, 0) \
	X(DEALLOC_UCONTEXT, dealloc_ucontext, 0x0011, vrdma_cmd_handle, vrdma_rsp_empty, \
	  VRDMA_NO_FEATURE, VRDMA_COMMAND_RELEASES) \
	X(MMAP, mmap, 0x0012, vrdma_cmd_mmap, vrdma_rsp_mmap, VRDMA_NO_FEATURE, 0) \
	X(MUNMAP, munmap, 0x0013, vrdma_cmd_munmap, vrdma_rsp_empty, VRDMA_NO_FEATURE, \
	  VRDMA_COMMAND_RELEASES) \
	/* protection domains */ \
	X(ALLOC_PD, alloc_pd, 0x0020, vrdma_cmd_empty, vrdma_rsp_handle, VRDMA_NO_FEATURE, \
	  VRDMA_COMMAND_HAS_POINTERS) \
	X(DEALLOC_PD, dealloc_pd, 0x0021, vrdma_cmd_handle, vrdma_rsp_empty, VRDMA_NO_FEATURE, \
	  VRDMA_COMMAND_RELEASES) \
	/* domains of extended reliable connections */ \
	X(ALLOC_XRCD, alloc_xrcd, 0x0028, vrdma_cmd_empty, vrdma_rsp_handle, VRDMA_F_XRC, 0) \
	X(DEALLOC_XRCD, dealloc_xrcd, 0x0029, vrdma_cmd_handle, vrdma_rsp_empty, VRDMA_F_XRC, \
	  VRDMA_COMMAND_RELEASES) \
	/* memory regions and windows */ \
	X(REG_MR, reg_mr, 0x0030, vrdma_cmd_reg_mr, vrdma_rsp_reg_mr, VRDMA_NO_FEATURE, \
	  VRDMA_COMMAND_HAS_RUNS | VRDMA_COMMAND_HAS_POINTERS) \
	X(REREG_MR, rereg_mr, 0x0031, vrdma_cmd_rereg_mr, vrdma_rsp_reg_mr, VRDMA_F_REREG_MR, \
	  VRDMA_COMMAND_HAS_RUNS) \
	X(DEREG_MR, dereg_mr, 0x0032, vrdma_cmd_handle, vrdma_rsp_empty, VRDMA_NO_FEATURE, \
	  VRDMA_COMMAND_RELEASES) \
	X(GET_DMA_MR, get_dma_mr, 0x0033, vrdma_cmd_get_dma_mr, vrdma_rsp_reg_mr, \
	  VRDMA_F_KERNEL_VERBS, 0) \
	X(ALLOC_MR, alloc_mr, 0x0034, vrdma_cmd_alloc_mr, vrdma_rsp_reg_mr, \
	  VRDMA_F_KERNEL_VERBS, VRDMA_COMMAND_HAS_RUNS) \
	X(ALLOC_MW, alloc_mw, 0x0038, vrdma_cmd_alloc_mw, vrdma_rsp_alloc_mw, VRDMA_F_MW, 0) \
	X(DEALLOC_MW, dealloc_mw, 0x0039, vrdma_cmd_handle, vrdma_rsp_empty, VRDMA_F_MW, \
	  VRDMA_COMMAND_RELEASES) \
	/* completion queues */ \
	X(CREATE_CQ, create_cq, 0x0040, vrdma_cmd_create_cq, vrdma_rsp_create_cq, \
	  VRDMA_NO_FEATURE, VRDMA_COMMAND_HAS_POINTERS | VRDMA_COMMAND_KEEPS_POINTERS) \
	X(RESIZE_CQ, resize_cq, 0x0041, vrdma_cmd_resize_cq, vrdma_rsp_resize_cq, \
	  VRDMA_F_RESIZE_CQ, VRDMA_COMMAND_HAS_POINTERS | VRDMA_COMMAND_KEEPS_POINTERS) \
	X(DESTROY_CQ, destroy_cq, 0x0042, vrdma_cmd_handle, vrdma_rsp_empty, VRDMA_NO_FEATURE, \
	  VRDMA_COMMAND_RELEASES) \
	/* shared receive queues */ \
	X(CREATE_SRQ, create_srq, 0x0050, vrdma_cmd_create_srq, vrdma_rsp_create_srq, \
	  VRDMA_F_SRQ, VRDMA_COMMAND_HAS_POINTERS | VRDMA_COMMAND_KEEPS_POINTERS) \
	X(MODIFY_SRQ, modify_srq, 0x0051, vrdma_cmd_modify_srq, vrdma_rsp_empty, VRDMA_F_SRQ, \
	  VRDMA_COMMAND_HAS_POINTERS) \
	X(QUERY_SRQ, query_srq, 0x0052, vrdma_cmd_handle, vrdma_rsp_query_srq, VRDMA_F_SRQ, 0) \
	X(DESTROY_SRQ, destroy_srq, 0x0053, vrdma_cmd_handle, vrdma_rsp_empty, VRDMA_F_SRQ, \
	  VRDMA_COMMAND_RELEASES) \
	X(CREATE_XRC_SRQ, create_xrc_srq, 0x0054, vrdma_cmd_create_xrc_srq, \
	  vrdma_rsp_create_xrc_srq, VRDMA_F_XRC, \
	  VRDMA_COMMAND_HAS_POINTERS | VRDMA_COMMAND_KEEPS_POINTERS) \
	/* queue pairs */ \
	X(CREATE_QP, create_qp, 0x0060, vrdma_cmd_create_qp, vrdma_rsp_create_qp, \
	  VRDMA_NO_FEATURE, VRDMA_COMMAND_HAS_POINTERS | VRDMA_COMMAND_KEEPS_POINTERS) \
	X(MODIFY_QP, modify_qp, 0x0061, vrdma_cmd_modify_qp, vrdma_rsp_empty, \
	  VRDMA_NO_FEATURE, VRDMA_COMMAND_HAS_POINTERS) \
	X(QUERY_QP, query_qp, 0x0062, vrdma_cmd_query_qp, vrdma_rsp_query_qp, \
	  VRDMA_NO_FEATURE, 0) \
	X(DESTROY_QP, destroy_qp, 0x0063, vrdma_cmd_handle, vrdma_rsp_empty, VRDMA_NO_FEATURE, \
	  VRDMA_COMMAND_RELEASES) \
	/* address handles */ \
	X(CREATE_AH, create_ah, 0x0070, vrdma_cmd_create_ah, vrdma_rsp_handle, \
	  VRDMA_NO_FEATURE, VRDMA_COMMAND_HAS_POINTERS) \
	X(QUERY_AH, query_ah, 0x0072, vrdma_cmd_handle, vrdma_rsp_query_ah, VRDMA_NO_FEATURE, 0) \
	X(DESTROY_AH, destroy_ah, 0x0073, vrdma_cmd_handle, vrdma_rsp_empty, VRDMA_NO_FEATURE, \
	  VRDMA_COMMAND_RELEASES) \
	/* multicast */ \
	X(ATTACH_MCAST, attach_mcast, 0x0080, vrdma_cmd_mcast, vrdma_rsp_empty, \
	  VRDMA_F_MCAST, 0) \
	X(DETACH_MCAST, detach_mcast, 0x0081, vrdma_cmd_mcast, vrdma_rsp_empty, \
	  VRDMA_F_MCAST, VRDMA_COMMAND_RELEASES) \
	/* connections of an iWARP RNIC */ \
	X(IW_CONNECT, iw_connect, 0x0090, vrdma_cmd_iw_connect, vrdma_rsp_empty, \
	  VRDMA_F_IW_CM, 0) \
	X(IW_LISTEN, iw_listen, 0x0091, vrdma_cmd_iw_listen, vrdma_rsp_empty, \
	  VRDMA_F_IW_CM, 0) \
	X(IW_ACCEPT, iw_accept, 0x0092, vrdma_cmd_iw_accept, vrdma_rsp_empty, \
	  VRDMA_F_IW_CM, 0) \
	X(IW_REJECT, iw_reject, 0x0093, vrdma_cmd_iw_reject, vrdma_rsp_empty, \
	  VRDMA_F_IW_CM, 0) \
	X(IW_CLOSE, iw_close, 0x0094, vrdma_cmd_handle, vrdma_rsp_empty, \
	  VRDMA_F_IW_CM, VRDMA_COMMAND_RELEASES) \
	X(IW_GET_EVENT, iw_get_event, 0x0095, vrdma_cmd_empty, vrdma_rsp_iw_event, \
	  VRDMA_F_IW_CM, 0) \
	/* the RDMA connection manager's user interface */ \
	X(UCMA_OPEN, ucma_open, 0x00a0, vrdma_cmd_ucma_open, vrdma_rsp_handle, \
	  VRDMA_F_UCMA, 0) \
	X(UCMA_CLOSE, ucma_close, 0x00a1, vrdma_cmd_handle, vrdma_rsp_empty, \
	  VRDMA_F_UCMA, VRDMA_COMMAND_RELEASES) \
	X(UCMA_COMMAND, ucma_command, 0x00a2, vrdma_cmd_ucma_command, vrdma_rsp_ucma_command, \
	  VRDMA_F_UCMA, 0)

/*
 * X(NAME, opcode): a command that has an opcode and no structures in this version.  The
 * device answers with EOPNOTSUPP.
 */
#define VRDMA_RESERVED_COMMANDS(X) \
	X(MODIFY_AH, 0x0071)

#endif /* VRDMA_COMMAND_TABLE_H */
