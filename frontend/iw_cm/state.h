/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: what iw_cm/ keeps of a device. */
#ifndef VRDMA_IW_CM_STATE_H
#define VRDMA_IW_CM_STATE_H

#include <linux/in6.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <rdma/ib_verbs.h>

struct iw_cm_conn_param;
struct iw_cm_id;
struct sockaddr_storage;
struct vrdma_dev;
struct vrdma_iw_address;
struct vrdma_qp;

#define VRDMA_IW_MAX_IPS	64

/* Connections (iw_cm.c) and addresses (addresses.c) of a device. */
struct vrdma_iw_cm {
	struct vrdma_dev *dev;

	struct mutex lock;	/* protects conns, what is in it, and the QPs' iw_conn */
	struct xarray conns;
	u32 next_id;
	struct work_struct event_work;

	struct mutex ips_lock;	/* protects ips */
	struct in6_addr ips[VRDMA_IW_MAX_IPS];	/* the device knows them by their index */
	struct work_struct ips_work;
	struct notifier_block ipv4_nb;
	struct notifier_block ipv6_nb;
};

enum vrdma_iw_state {
	VRDMA_IW_LISTENING,
	VRDMA_IW_CONNECTING,
	VRDMA_IW_ACCEPTING,
	VRDMA_IW_ESTABLISHED,
};

/* A connection, or a listener. */
struct vrdma_iw_conn {
	struct iw_cm_id *cm_id;		/* the connection has a reference to it */
	struct vrdma_qp *qp;
	enum vrdma_iw_state state;
	u32 id;
};

/* iw_cm/commands.c */
void vrdma_iw_unpack_address(struct sockaddr_storage *to,
			     const struct vrdma_iw_address *from);
int vrdma_iw_send_connect(struct vrdma_dev *dev, const struct vrdma_iw_conn *conn,
			  const struct iw_cm_conn_param *param);
int vrdma_iw_send_accept(struct vrdma_dev *dev, const struct vrdma_iw_conn *conn,
			 u32 request, const struct iw_cm_conn_param *param);
int vrdma_iw_send_reject(struct vrdma_dev *dev, u32 request, const void *data, u32 length);
int vrdma_iw_send_listen(struct vrdma_dev *dev, const struct vrdma_iw_conn *conn,
			 int backlog);

/* iw_cm/addresses.c */
void vrdma_iw_addresses_init(struct vrdma_iw_cm *iw);
void vrdma_iw_sync_addresses(struct vrdma_dev *dev);

#endif /* VRDMA_IW_CM_STATE_H */
