/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 the vrdma authors */
/*
 * vrdma wire protocol: connections of an iWARP RNIC (VRDMA_F_IW_CM).  Only a
 * connection manager can connect the queue pairs of such an RNIC.
 */
#ifndef VRDMA_IW_CM_H
#define VRDMA_IW_CM_H

#include <linux/types.h>

#include "vrdma_protocol.h"

/*
 * Bytes of private data: of the array, and at most of the data.  Linux hands that much to
 * user programs (struct rdma_ucm_conn_param).
 */
#define VRDMA_IW_PRIVATE_DATA		256
#define VRDMA_IW_MAX_PRIVATE_DATA	255

/* An IPv6 address, or an IPv4 one as ::ffff:a.b.c.d, and a TCP port. */
struct vrdma_iw_address {
	__u8   ip[16];
	__be16 port;
	__u8   reserved[6];
};

struct vrdma_iw_param {
	__le16 ird;			/* inbound RDMA READs at a time */
	__le16 ord;			/* outbound RDMA READs at a time */
	__le16 private_data_len;	/* at most VRDMA_IW_MAX_PRIVATE_DATA */
	__le16 reserved;
	__u8   private_data[VRDMA_IW_PRIVATE_DATA];
};

/*
 * The driver chooses the ids of connections and listeners, the device those of
 * connection requests.
 */
struct vrdma_cmd_iw_connect {
	struct vrdma_cmd_hdr hdr;	/* uctx: the context of the queue pair */
	__le32 id;
	__le32 qp;
	struct vrdma_iw_address local;	/* the port is informative */
	struct vrdma_iw_address remote;
	struct vrdma_iw_param param;
};

#define VRDMA_IW_LISTEN_IPV6_ONLY	1

struct vrdma_cmd_iw_listen {
	struct vrdma_cmd_hdr hdr;
	__le32 id;
	__le32 backlog;
	__le32 flags;			/* VRDMA_IW_LISTEN_* */
	__le32 reserved;
	struct vrdma_iw_address local;	/* unspecified: all of the guest's addresses */
};

struct vrdma_cmd_iw_accept {
	struct vrdma_cmd_hdr hdr;	/* uctx: the context of the queue pair */
	__le32 request;
	__le32 id;			/* id of the new connection */
	__le32 qp;
	__le32 reserved;
	struct vrdma_iw_param param;
};

struct vrdma_cmd_iw_reject {
	struct vrdma_cmd_hdr hdr;
	__le32 request;
	__le32 reserved;
	struct vrdma_iw_param param;	/* the private data only */
};

/* IW_CLOSE: vrdma_cmd_handle with an id. */

enum vrdma_iw_event_type {
	VRDMA_IW_EVENT_NONE		= 0,
	VRDMA_IW_EVENT_CONNECT_REQUEST	= 1,	/* id: the listener */
	VRDMA_IW_EVENT_CONNECT_REPLY	= 2,	/* to IW_CONNECT; the last event if status is set */
	VRDMA_IW_EVENT_ESTABLISHED	= 3,	/* after IW_ACCEPT */
	VRDMA_IW_EVENT_CLOSED		= 4,	/* the last event of a connection */
};

/* IW_GET_EVENT: vrdma_cmd_empty */
struct vrdma_rsp_iw_event {
	struct vrdma_rsp_hdr hdr;
	__le32 type;			/* enum vrdma_iw_event_type */
	__le32 id;
	__le32 request;
	__le32 status;			/* 0 or a positive errno */
	struct vrdma_iw_address local;
	struct vrdma_iw_address remote;
	struct vrdma_iw_param param;
};

#endif /* VRDMA_IW_CM_H */
