/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 the vrdma authors */
/*
 * vrdma wire protocol: the requests and responses of the control queue.
 *
 * Device-readable bytes of a chain are the request structure, udata_in_len bytes of
 * the vendor's udata, region_count structures vrdma_udata_region, the runs of these,
 * and the runs of a memory region (VRDMA_COMMAND_HAS_RUNS).  Device-writable bytes are
 * the response structure and udata_out_len bytes for the vendor's udata.
 * vrdma_command_table.h says which structures a command has.  Attribute values, masks
 * and flags are those of the kernel's <rdma/ib_user_verbs.h>.
 */
#ifndef VRDMA_COMMANDS_H
#define VRDMA_COMMANDS_H

#include "vrdma_counters.h"
#include "vrdma_protocol.h"

/* A request without fields of its own. */
struct vrdma_cmd_empty {
	struct vrdma_cmd_hdr hdr;
};

/* A request that names one object. */
struct vrdma_cmd_handle {
	struct vrdma_cmd_hdr hdr;
	__le32 handle;
	__le32 reserved;
};

struct vrdma_rsp_empty {
	struct vrdma_rsp_hdr hdr;
};

struct vrdma_rsp_handle {
	struct vrdma_rsp_hdr hdr;
	__le32 handle;
	__le32 reserved;
};

/* QUERY_DEVICE: vrdma_cmd_empty */
struct vrdma_rsp_query_device {
	struct vrdma_rsp_hdr hdr;
	__le64 fw_ver;
	__be64 sys_image_guid;
	__le64 max_mr_size;
	__le64 page_size_cap;
	__le64 device_cap_flags;
	__le32 vendor_id;
	__le32 vendor_part_id;
	__le32 hw_ver;
	__le32 max_qp;
	__le32 max_qp_wr;
	__le32 max_send_sge;
	__le32 max_recv_sge;
	__le32 max_sge_rd;
	__le32 max_cq;
	__le32 max_cqe;
	__le32 max_mr;
	__le32 max_pd;
	__le32 max_qp_rd_atom;
	__le32 max_res_rd_atom;
	__le32 max_qp_init_rd_atom;
	__le32 atomic_cap;		/* enum ib_atomic_cap */
	__le32 max_mw;
	__le32 max_mcast_grp;
	__le32 max_mcast_qp_attach;
	__le32 max_ah;
	__le32 max_srq;
	__le32 max_srq_wr;
	__le32 max_srq_sge;
	__le16 max_pkeys;
	__u8   local_ca_ack_delay;
	__u8   reserved;
	__le32 max_inline_data;
	__le32 max_fast_reg_pages;	/* pages of one region that ALLOC_MR makes */
};

struct vrdma_cmd_query_port {
	struct vrdma_cmd_hdr hdr;
	__le32 port;
	__le32 reserved;
};

struct vrdma_rsp_query_port {
	struct vrdma_rsp_hdr hdr;
	__le32 state;			/* enum ib_port_state of the host's port */
	__le32 max_mtu;			/* enum ib_mtu */
	__le32 active_mtu;		/* enum ib_mtu; at most the guest netdev's */
	__le32 gid_tbl_len;
	__le32 port_cap_flags;
	__le32 max_msg_sz;
	__le16 pkey_tbl_len;
	__u8   active_width;
	__u8   phys_state;
	__le16 active_speed;
	__le16 reserved;
};

/* QUERY_COUNTERS, whose request is that of QUERY_PORT. */
struct vrdma_rsp_query_counters {
	struct vrdma_rsp_hdr hdr;
	__le64 value[32];		/* by enum vrdma_counter; VRDMA_MAX_COUNTERS */
};

/* QUERY_IB_PORT, whose request is that of QUERY_PORT: the rest of IBTA 1.4, 11.2.1.3. */
struct vrdma_rsp_query_ib_port {
	struct vrdma_rsp_hdr hdr;
	__le16 lid;
	__le16 sm_lid;
	__u8   lmc;
	__u8   sm_sl;
	__u8   subnet_timeout;
	__u8   init_type_reply;
	__u8   max_vl_num;
	__u8   reserved[7];
};

/* QUERY_GID and QUERY_PKEY: an entry of the port's table */
struct vrdma_cmd_query_table {
	struct vrdma_cmd_hdr hdr;
	__le32 port;
	__le32 index;
};

struct vrdma_rsp_query_gid {
	struct vrdma_rsp_hdr hdr;
	__u8   gid[16];			/* zeros in an empty entry */
};

struct vrdma_rsp_query_pkey {
	struct vrdma_rsp_hdr hdr;
	__le16 pkey;			/* 0 in an empty entry */
	__u8   reserved[6];
};

#define VRDMA_GID_TYPE_ROCE_V1		1
#define VRDMA_GID_TYPE_ROCE_V2		2
#define VRDMA_GID_TYPE_IWARP		3	/* an IP address, as in vrdma_iw_cm.h */

/* ADD_GID; DEL_GID takes the same and looks at port and index only. */
struct vrdma_cmd_gid {
	struct vrdma_cmd_hdr hdr;
	__le32 port;
	__le32 index;
	__u8   gid[16];
	__le32 type;			/* VRDMA_GID_TYPE_* */
	__le16 vlan;			/* VLAN id, or 0xffff */
	__u8   mac[6];			/* MAC address of the netdev with this address */
	__le32 reserved;
};

/* MAP_DOORBELLS: vrdma_cmd_empty.  See vrdma_doorbell.h. */
struct vrdma_rsp_map_doorbells {
	struct vrdma_rsp_hdr hdr;
	__le64 shm_offset;
	__le64 length;
};

/*
 * ALLOC_UCONTEXT: vrdma_cmd_empty -> vrdma_rsp_handle.
 * DEALLOC_UCONTEXT: vrdma_cmd_handle; frees all that the context still owns.
 */

/* MMAP: a guest process maps (offset, length) of its uverbs file. */
struct vrdma_cmd_mmap {
	struct vrdma_cmd_hdr hdr;	/* uctx: the context that has the file */
	__le64 offset;
	__le64 length;			/* multiple of VRDMA_SHM_PAGE_SIZE */
};

#define VRDMA_MMAP_CACHED		0
#define VRDMA_MMAP_WRITE_COMBINE	1
#define VRDMA_MMAP_NONCACHED		2

struct vrdma_rsp_mmap {
	struct vrdma_rsp_hdr hdr;
	__le64 shm_offset;
	__le32 caching;			/* VRDMA_MMAP_* */
	__le32 reserved;
};

struct vrdma_cmd_munmap {
	struct vrdma_cmd_hdr hdr;
	__le64 shm_offset;		/* as MMAP returned it */
	__le64 length;
};

/* ALLOC_PD: vrdma_cmd_empty -> vrdma_rsp_handle.  DEALLOC_PD: vrdma_cmd_handle. */

/*
 * ALLOC_XRCD: vrdma_cmd_empty -> vrdma_rsp_handle.  DEALLOC_XRCD: vrdma_cmd_handle.  Domains are
 * the device's own, and so are their target queue pairs: uctx is VRDMA_NO_HANDLE.
 */

/* Guest memory: runs of guest-physical addresses, adjacent pages merged. */
struct vrdma_run {
	__le64 gpa;
	__le64 length;
};

/* REG_MR: run_count runs at the end of the request cover [iova, iova + length). */
struct vrdma_cmd_reg_mr {
	struct vrdma_cmd_hdr hdr;
	__le32 pd;
	__le32 access;			/* enum ib_uverbs_access_flags */
	__le64 start;			/* guest virtual address of the first byte */
	__le64 iova;			/* address on the wire (hca_va) */
	__le64 length;			/* bytes */
	__le32 run_count;
	__le32 reserved;
};

struct vrdma_rsp_reg_mr {
	struct vrdma_rsp_hdr hdr;
	__le32 handle;
	__le32 lkey;
	__le32 rkey;
	__le32 reserved;
};

/* Flags of what REREG_MR changes; values of enum ib_mr_rereg_flags. */
#define VRDMA_REREG_TRANS		1	/* start, iova, length and runs */
#define VRDMA_REREG_PD			2
#define VRDMA_REREG_ACCESS		4

/* REREG_MR: run_count runs end the request, none without VRDMA_REREG_TRANS. */
struct vrdma_cmd_rereg_mr {
	struct vrdma_cmd_hdr hdr;
	__le32 handle;
	__le32 flags;			/* VRDMA_REREG_* */
	__le32 pd;
	__le32 access;
	__le64 start;
	__le64 iova;
	__le64 length;
	__le32 run_count;
	__le32 reserved;
};

/* ALLOC_MW; DEALLOC_MW: vrdma_cmd_handle. */
struct vrdma_cmd_alloc_mw {
	struct vrdma_cmd_hdr hdr;
	__le32 pd;
	__u8   type;			/* enum ib_mw_type */
	__u8   reserved[3];
};

struct vrdma_rsp_alloc_mw {
	struct vrdma_rsp_hdr hdr;
	__le32 handle;
	__le32 rkey;
};

struct vrdma_cmd_create_cq {
	struct vrdma_cmd_hdr hdr;
	__le32 cqe;
	__le32 comp_vector;
	__le32 flags;			/* enum ib_uverbs_ex_create_cq_flags */
	__le32 reserved;
};

struct vrdma_rsp_create_cq {
	struct vrdma_rsp_hdr hdr;
	__le32 handle;
	__le32 cqe;			/* entries that the CQ really has */
};

struct vrdma_cmd_resize_cq {
	struct vrdma_cmd_hdr hdr;
	__le32 handle;
	__le32 cqe;
};

struct vrdma_rsp_resize_cq {
	struct vrdma_rsp_hdr hdr;
	__le32 cqe;			/* entries that the CQ has now */
	__le32 reserved;
};

struct vrdma_cmd_create_srq {
	struct vrdma_cmd_hdr hdr;
	__le32 pd;
	__le32 max_wr;
	__le32 max_sge;
	__le32 srq_limit;
};

struct vrdma_rsp_create_srq {
	struct vrdma_rsp_hdr hdr;
	__le32 handle;
	__le32 max_wr;
	__le32 max_sge;
	__le32 reserved;
};

/* CREATE_XRC_SRQ; MODIFY_SRQ, QUERY_SRQ and DESTROY_SRQ are those of any SRQ. */
struct vrdma_cmd_create_xrc_srq {
	struct vrdma_cmd_hdr hdr;
	__le32 pd;
	__le32 xrcd;
	__le32 cq;			/* gets the completions of the queue's requests */
	__le32 max_wr;
	__le32 max_sge;
	__le32 srq_limit;
};

struct vrdma_rsp_create_xrc_srq {
	struct vrdma_rsp_hdr hdr;
	__le32 handle;
	__le32 max_wr;
	__le32 max_sge;
	__le32 srq_num;			/* on the wire: what senders name the queue by */
};

struct vrdma_cmd_modify_srq {
	struct vrdma_cmd_hdr hdr;
	__le32 handle;
	__le32 attr_mask;		/* enum ib_srq_attr_mask */
	__le32 max_wr;
	__le32 srq_limit;
};

struct vrdma_rsp_query_srq {
	struct vrdma_rsp_hdr hdr;
	__le32 max_wr;
	__le32 max_sge;
	__le32 srq_limit;
	__le32 reserved;
};

struct vrdma_qp_cap {
	__le32 max_send_wr;
	__le32 max_recv_wr;
	__le32 max_send_sge;
	__le32 max_recv_sge;
	__le32 max_inline_data;
	__le32 reserved;
};

struct vrdma_cmd_create_qp {
	struct vrdma_cmd_hdr hdr;
	__le32 pd;			/* IB_QPT_XRC_TGT: the domain of extended connections */
	__le32 send_cq;			/* IB_QPT_XRC_TGT: VRDMA_NO_HANDLE */
	__le32 recv_cq;			/* IB_QPT_XRC_INI and _TGT: VRDMA_NO_HANDLE */
	__le32 srq;			/* or VRDMA_NO_HANDLE */
	__u8   qp_type;			/* enum ib_qp_type */
	__u8   sq_sig_all;
	__le16 reserved;
	__le32 create_flags;
	struct vrdma_qp_cap cap;
};

struct vrdma_rsp_create_qp {
	struct vrdma_rsp_hdr hdr;
	__le32 handle;
	__le32 qp_num;
	struct vrdma_qp_cap cap;
};

/* Address vector of a RoCE port, in MODIFY_QP, QUERY_QP and CREATE_AH. */
struct vrdma_ah_attr {
	__u8   dgid[16];
	__le32 flow_label;
	__u8   sgid_index;
	__u8   hop_limit;
	__u8   traffic_class;
	__u8   sl;
	__u8   port;
	__u8   static_rate;
	__u8   dmac[6];			/* MAC address as the guest resolved it; informative */
	/* The others are for VRDMA_F_INFINIBAND. */
	__le16 dlid;
	__u8   src_path_bits;
	__u8   flags;			/* VRDMA_AH_* */
};

#define VRDMA_AH_GRH			1	/* packets have a global route header */

/* The attributes of MODIFY_QP, and what QUERY_QP returns. */
struct vrdma_qp_attr {
	__u8   qp_state;		/* enum ib_qp_state */
	__u8   cur_qp_state;		/* enum ib_qp_state */
	__u8   path_mtu;		/* enum ib_mtu */
	__u8   path_mig_state;
	__le32 qkey;
	__le32 rq_psn;
	__le32 sq_psn;
	__le32 dest_qp_num;
	__le32 qp_access_flags;
	__le16 pkey_index;
	__u8   en_sqd_async_notify;
	__u8   sq_draining;
	__u8   max_rd_atomic;
	__u8   max_dest_rd_atomic;
	__u8   min_rnr_timer;
	__u8   port;
	__u8   timeout;
	__u8   retry_cnt;
	__u8   rnr_retry;
	__u8   reserved;
	__le32 rate_limit;
	__le32 reserved2;
	struct vrdma_ah_attr ah;
	struct vrdma_qp_cap cap;
};

struct vrdma_cmd_modify_qp {
	struct vrdma_cmd_hdr hdr;
	__le32 handle;
	__le32 attr_mask;		/* enum ib_qp_attr_mask */
	struct vrdma_qp_attr attr;
};

struct vrdma_cmd_query_qp {
	struct vrdma_cmd_hdr hdr;
	__le32 handle;
	__le32 attr_mask;
};

struct vrdma_rsp_query_qp {
	struct vrdma_rsp_hdr hdr;
	struct vrdma_qp_attr attr;
	__u8   sq_sig_all;
	__u8   reserved[7];
};

struct vrdma_cmd_create_ah {
	struct vrdma_cmd_hdr hdr;
	__le32 pd;
	__le32 reserved;
	struct vrdma_ah_attr attr;
};

struct vrdma_rsp_query_ah {
	struct vrdma_rsp_hdr hdr;
	struct vrdma_ah_attr attr;
};

/* ATTACH_MCAST and DETACH_MCAST */
struct vrdma_cmd_mcast {
	struct vrdma_cmd_hdr hdr;
	__le32 qp;
	__le16 lid;			/* LID of the group; no meaning with RoCE */
	__le16 reserved;
	__u8   gid[16];			/* GID of the multicast group */
};

#endif /* VRDMA_COMMANDS_H */
