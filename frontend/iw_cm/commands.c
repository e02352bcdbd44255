// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: commands for connections of an iWARP RNIC (common/vrdma_iw_cm.h). */
#include <net/ipv6.h>
#include <rdma/iw_cm.h>

#include "core/cmd.h"
#include "core/cmdq.h"
#include "core/dev.h"
#include "iw_cm/state.h"
#include "verbs/qp.h"

/* Addresses: from the core's form to the device's, and back. */

static int vrdma_iw_pack_address(struct vrdma_iw_address *to, const struct sockaddr_storage *from)
{
	const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)from;
	const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)from;

	switch (from->ss_family) {
	case AF_INET:
		ipv6_addr_set_v4mapped(ipv4->sin_addr.s_addr, (struct in6_addr *)to->ip);
		to->port = ipv4->sin_port;
		return 0;
	case AF_INET6:
		memcpy(to->ip, &ipv6->sin6_addr, sizeof(to->ip));
		to->port = ipv6->sin6_port;
		return 0;
	default:
		return -EAFNOSUPPORT;
	}
}

void vrdma_iw_unpack_address(struct sockaddr_storage *to,
			     const struct vrdma_iw_address *from)
{
	struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)to;
	struct sockaddr_in *ipv4 = (struct sockaddr_in *)to;
	struct in6_addr ip;

	memcpy(&ip, from->ip, sizeof(ip));
	memset(to, 0, sizeof(*to));
	if (ipv6_addr_v4mapped(&ip)) {
		ipv4->sin_family = AF_INET;
		ipv4->sin_addr.s_addr = ip.s6_addr32[3];
		ipv4->sin_port = from->port;
	} else {
		ipv6->sin6_family = AF_INET6;
		ipv6->sin6_addr = ip;
		ipv6->sin6_port = from->port;
	}
}

static int vrdma_iw_pack_param(struct vrdma_iw_param *to, const void *data, u32 length)
{
	if (length > VRDMA_IW_MAX_PRIVATE_DATA)
		return -EINVAL;

	to->private_data_len = cpu_to_le16(length);
	if (length)
		memcpy(to->private_data, data, length);
	return 0;
}

static int vrdma_iw_pack_conn_param(struct vrdma_iw_param *to, const struct iw_cm_conn_param *from)
{
	if (from->ird > U16_MAX || from->ord > U16_MAX)
		return -EINVAL;

	to->ird = cpu_to_le16(from->ird);
	to->ord = cpu_to_le16(from->ord);
	return vrdma_iw_pack_param(to, from->private_data, from->private_data_len);
}

static int vrdma_iw_exec(struct vrdma_dev *dev, struct vrdma_cmd *cmd)
{
	int err = vrdma_cmd_exec(dev, cmd);

	vrdma_cmd_put(cmd);
	return err;
}

int vrdma_iw_send_reject(struct vrdma_dev *dev, u32 request, const void *data, u32 length)
{
	struct vrdma_cmd_iw_reject *req;
	struct vrdma_cmd *cmd;
	int err;

	cmd = vrdma_cmd_alloc(dev, VRDMA_CMD_IW_REJECT, sizeof(*req),
			      sizeof(struct vrdma_rsp_empty), VRDMA_NO_HANDLE, NULL);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	req = cmd->req;
	req->request = cpu_to_le32(request);
	err = vrdma_iw_pack_param(&req->param, data, length);
	if (err) {
		vrdma_cmd_put(cmd);
		return err;
	}
	return vrdma_iw_exec(dev, cmd);
}

int vrdma_iw_send_connect(struct vrdma_dev *dev, const struct vrdma_iw_conn *conn,
			  const struct iw_cm_conn_param *param)
{
	struct vrdma_cmd_iw_connect *req;
	struct vrdma_cmd *cmd;
	int err;

	cmd = vrdma_cmd_alloc(dev, VRDMA_CMD_IW_CONNECT, sizeof(*req),
			      sizeof(struct vrdma_rsp_empty), conn->qp->uctx, NULL);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	req = cmd->req;
	req->id = cpu_to_le32(conn->id);
	req->qp = cpu_to_le32(conn->qp->handle);
	err = vrdma_iw_pack_address(&req->local, &conn->cm_id->local_addr);
	if (!err)
		err = vrdma_iw_pack_address(&req->remote, &conn->cm_id->remote_addr);
	if (!err)
		err = vrdma_iw_pack_conn_param(&req->param, param);
	if (err) {
		vrdma_cmd_put(cmd);
		return err;
	}
	return vrdma_iw_exec(dev, cmd);
}

/* The device forgets the request, also when this fails. */
int vrdma_iw_send_accept(struct vrdma_dev *dev, const struct vrdma_iw_conn *conn,
			 u32 request, const struct iw_cm_conn_param *param)
{
	struct vrdma_cmd_iw_accept *req;
	struct vrdma_cmd *cmd;
	int err;

	cmd = vrdma_cmd_alloc(dev, VRDMA_CMD_IW_ACCEPT, sizeof(*req),
			      sizeof(struct vrdma_rsp_empty), conn->qp->uctx, NULL);
	err = PTR_ERR_OR_ZERO(cmd);
	if (err)
		goto err_reject;

	req = cmd->req;
	req->request = cpu_to_le32(request);
	req->id = cpu_to_le32(conn->id);
	req->qp = cpu_to_le32(conn->qp->handle);
	err = vrdma_iw_pack_conn_param(&req->param, param);
	if (!err)
		return vrdma_iw_exec(dev, cmd);

	vrdma_cmd_put(cmd);
err_reject:
	vrdma_iw_send_reject(dev, request, NULL, 0);
	return err;
}

int vrdma_iw_send_listen(struct vrdma_dev *dev, const struct vrdma_iw_conn *conn,
			 int backlog)
{
	struct vrdma_cmd_iw_listen *req;
	struct vrdma_cmd *cmd;
	int err;

	cmd = vrdma_cmd_alloc(dev, VRDMA_CMD_IW_LISTEN, sizeof(*req),
			      sizeof(struct vrdma_rsp_empty), VRDMA_NO_HANDLE, NULL);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	req = cmd->req;
	req->id = cpu_to_le32(conn->id);
	req->backlog = cpu_to_le32(backlog);
	/* The core sets afonly for all of AF_INET, too. */
	if (conn->cm_id->afonly && conn->cm_id->local_addr.ss_family == AF_INET6)
		req->flags = cpu_to_le32(VRDMA_IW_LISTEN_IPV6_ONLY);
	err = vrdma_iw_pack_address(&req->local, &conn->cm_id->local_addr);
	if (err) {
		vrdma_cmd_put(cmd);
		return err;
	}
	return vrdma_iw_exec(dev, cmd);
}
