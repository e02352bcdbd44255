// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: attributes of the device and of its port. */
#include <linux/module.h>
#include <rdma/ib_addr.h>
#include <rdma/ib_mad.h>
#include <rdma/uverbs_ioctl.h>

#include "core/cmd.h"
#include "core/cmdq.h"
#include "core/dev.h"
#include "core/events.h"
#include "core/netdev.h"
#include "verbs/device.h"
#include "verbs/mr.h"

/* The capabilities that this driver has the verbs for, whatever the RNIC has. */
#define VRDMA_DEVICE_CAPS	(IB_DEVICE_BAD_PKEY_CNTR | IB_DEVICE_BAD_QKEY_CNTR | \
				 IB_DEVICE_CHANGE_PHY_PORT | IB_DEVICE_UD_AV_PORT_ENFORCE | \
				 IB_DEVICE_CURR_QP_STATE_MOD | IB_DEVICE_PORT_ACTIVE_EVENT | \
				 IB_DEVICE_SYS_IMAGE_GUID | IB_DEVICE_RC_RNR_NAK_GEN | \
				 IB_DEVICE_SRQ_RESIZE | IB_DEVICE_N_NOTIFY_CQ | \
				 IB_DEVICE_MEM_MGT_EXTENSIONS | IB_DEVICE_XRC | \
				 VRDMA_DEVICE_MW_CAPS)
#define VRDMA_DEVICE_MW_CAPS	(IB_DEVICE_MEM_WINDOW | IB_DEVICE_MEM_WINDOW_TYPE_2A | \
				 IB_DEVICE_MEM_WINDOW_TYPE_2B)

/* GID indexes have eight bits in an address vector. */
#define VRDMA_MAX_GIDS		256

static void vrdma_port_event(struct vrdma_dev *dev, u32 port, enum ib_event_type type)
{
	vrdma_dispatch(dev, type);
}

void vrdma_port_init(struct vrdma_dev *dev)
{
	vrdma_event_register(dev, VRDMA_EVENT_PORT_ACTIVE, vrdma_port_event, IB_EVENT_PORT_ACTIVE);
	vrdma_event_register(dev, VRDMA_EVENT_PORT_ERR, vrdma_port_event, IB_EVENT_PORT_ERR);
	vrdma_event_register(dev, VRDMA_EVENT_GID_CHANGE, vrdma_port_event, IB_EVENT_GID_CHANGE);
	vrdma_event_register(dev, VRDMA_EVENT_LID_CHANGE, vrdma_port_event, IB_EVENT_LID_CHANGE);
	vrdma_event_register(dev, VRDMA_EVENT_PKEY_CHANGE, vrdma_port_event, IB_EVENT_PKEY_CHANGE);
	vrdma_event_register(dev, VRDMA_EVENT_SM_CHANGE, vrdma_port_event, IB_EVENT_SM_CHANGE);
	vrdma_event_register(dev, VRDMA_EVENT_CLIENT_REREGISTER, vrdma_port_event,
			     IB_EVENT_CLIENT_REREGISTER);
}

static void vrdma_unpack_device(struct vrdma_dev *dev, struct ib_device_attr *attr,
				const struct vrdma_rsp_query_device *rsp)
{
	attr->fw_ver = le64_to_cpu(rsp->fw_ver);
	attr->sys_image_guid = rsp->sys_image_guid;
	attr->max_mr_size = le64_to_cpu(rsp->max_mr_size);
	attr->page_size_cap = le64_to_cpu(rsp->page_size_cap);
	attr->device_cap_flags = le64_to_cpu(rsp->device_cap_flags) & VRDMA_DEVICE_CAPS;
	attr->vendor_id = le32_to_cpu(rsp->vendor_id);
	attr->vendor_part_id = le32_to_cpu(rsp->vendor_part_id);
	attr->hw_ver = le32_to_cpu(rsp->hw_ver);
	attr->max_qp = min(le32_to_cpu(rsp->max_qp), dev->max_qp);
	attr->max_qp_wr = le32_to_cpu(rsp->max_qp_wr);
	attr->max_send_sge = le32_to_cpu(rsp->max_send_sge);
	attr->max_recv_sge = le32_to_cpu(rsp->max_recv_sge);
	attr->max_sge_rd = le32_to_cpu(rsp->max_sge_rd);
	attr->max_cq = min(le32_to_cpu(rsp->max_cq), dev->max_cq);
	attr->max_cqe = le32_to_cpu(rsp->max_cqe);
	attr->max_mr = le32_to_cpu(rsp->max_mr);
	attr->max_pd = le32_to_cpu(rsp->max_pd);
	attr->max_qp_rd_atom = le32_to_cpu(rsp->max_qp_rd_atom);
	attr->max_res_rd_atom = le32_to_cpu(rsp->max_res_rd_atom);
	attr->max_qp_init_rd_atom = le32_to_cpu(rsp->max_qp_init_rd_atom);
	attr->atomic_cap = min_t(u32, le32_to_cpu(rsp->atomic_cap), IB_ATOMIC_GLOB);
	attr->max_ah = le32_to_cpu(rsp->max_ah);
	attr->max_pkeys = vrdma_is_infiniband(dev) ? le16_to_cpu(rsp->max_pkeys) : 1;
	attr->local_ca_ack_delay = rsp->local_ca_ack_delay;

	if (virtio_has_feature(dev->vdev, VRDMA_F_SRQ)) {
		attr->max_srq = le32_to_cpu(rsp->max_srq);
		attr->max_srq_wr = le32_to_cpu(rsp->max_srq_wr);
		attr->max_srq_sge = le32_to_cpu(rsp->max_srq_sge);
	} else {
		attr->device_cap_flags &= ~(u64)IB_DEVICE_SRQ_RESIZE;
	}
	if (vrdma_has_kernel_verbs(dev))
		attr->max_fast_reg_page_list_len = min_t(u32, le32_to_cpu(rsp->max_fast_reg_pages),
							 VRDMA_MAX_FAST_REG_PAGES);
	/*
	 * The capability says to programs that their work requests can invalidate.  The kernel's
	 * consumers, which an iWARP device has without kernel verbs, would register memory by it.
	 */
	if (vrdma_is_iwarp(dev))
		attr->device_cap_flags &= ~(u64)IB_DEVICE_MEM_MGT_EXTENSIONS;

	if (virtio_has_feature(dev->vdev, VRDMA_F_MW))
		attr->max_mw = le32_to_cpu(rsp->max_mw);
	else
		attr->device_cap_flags &= ~(u64)VRDMA_DEVICE_MW_CAPS;

	if (!virtio_has_feature(dev->vdev, VRDMA_F_XRC))
		attr->device_cap_flags &= ~(u64)IB_DEVICE_XRC;

	if (virtio_has_feature(dev->vdev, VRDMA_F_MCAST)) {
		attr->max_mcast_grp = le32_to_cpu(rsp->max_mcast_grp);
		attr->max_mcast_qp_attach = le32_to_cpu(rsp->max_mcast_qp_attach);
		attr->max_total_mcast_qp_attach =
			min_t(u64, (u64)attr->max_mcast_grp * attr->max_mcast_qp_attach, INT_MAX);
	}
}

static int vrdma_query_device(struct ib_device *ibdev, struct ib_device_attr *attr,
			      struct ib_udata *udata)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibdev);
	struct vrdma_rsp_query_device *rsp;
	struct vrdma_cmd *cmd;
	int err;

	cmd = vrdma_cmd_alloc(dev, VRDMA_CMD_QUERY_DEVICE, sizeof(struct vrdma_cmd_empty),
			      sizeof(*rsp), VRDMA_NO_HANDLE, udata);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	err = vrdma_cmd_exec_killable(dev, cmd);
	if (err)
		goto out;

	rsp = cmd->rsp;
	vrdma_unpack_device(dev, attr, rsp);
	err = vrdma_cmd_copy_udata(cmd, udata);
out:
	vrdma_cmd_put(cmd);
	return err;
}

static int vrdma_unpack_port(struct vrdma_dev *dev, struct ib_port_attr *attr,
			     const struct vrdma_rsp_query_port *rsp)
{
	u32 active_mtu = le32_to_cpu(rsp->active_mtu);
	u32 max_mtu = le32_to_cpu(rsp->max_mtu);
	u32 gids = le32_to_cpu(rsp->gid_tbl_len);

	if (max_mtu < IB_MTU_256 || max_mtu > IB_MTU_4096 ||
	    active_mtu < IB_MTU_256 || active_mtu > max_mtu || !gids)
		return -EIO;

	attr->state = le32_to_cpu(rsp->state);
	attr->max_mtu = max_mtu;
	attr->active_mtu = active_mtu;
	attr->gid_tbl_len = vrdma_is_iwarp(dev) ? 1 : min_t(u32, gids, VRDMA_MAX_GIDS);
	attr->port_cap_flags = (le32_to_cpu(rsp->port_cap_flags) | dev->port_caps_set) &
			       ~dev->port_caps_cleared;
	attr->max_msg_sz = le32_to_cpu(rsp->max_msg_sz);
	attr->max_vl_num = 1;
	/* RoCE has the default P_Key only, iWARP has none. */
	if (vrdma_is_infiniband(dev))
		attr->pkey_tbl_len = le16_to_cpu(rsp->pkey_tbl_len);
	else
		attr->pkey_tbl_len = vrdma_is_iwarp(dev) ? 0 : 1;
	attr->active_width = rsp->active_width;
	attr->active_speed = le16_to_cpu(rsp->active_speed);
	attr->phys_state = rsp->phys_state;
	return 0;
}

/* The port is up when both the host's port and the paired netdev are. */
static void vrdma_apply_netdev(struct ib_device *ibdev, struct ib_port_attr *attr)
{
	struct net_device *ndev = vrdma_get_netdev(ibdev, VRDMA_PORT);
	enum ib_mtu mtu;

	if (!ndev || !netif_running(ndev) || !netif_carrier_ok(ndev)) {
		attr->state = IB_PORT_DOWN;
		attr->phys_state = IB_PORT_PHYS_STATE_DISABLED;
	}
	if (!ndev)
		return;

	mtu = iboe_get_mtu(READ_ONCE(ndev->mtu));
	attr->active_mtu = min(attr->active_mtu, mtu ? mtu : IB_MTU_256);
	dev_put(ndev);
}

/*
 * Asks by an opcode whose request is vrdma_cmd_query_port.  Returns the command with its answer,
 * for vrdma_cmd_put(), or an errno.
 */
struct vrdma_cmd *vrdma_ask_port(struct vrdma_dev *dev, u16 opcode, u32 port, u32 answer_len)
{
	struct vrdma_cmd_query_port *req;
	struct vrdma_cmd *cmd;
	int err;

	cmd = vrdma_cmd_alloc(dev, opcode, sizeof(*req), answer_len, VRDMA_NO_HANDLE, NULL);
	if (IS_ERR(cmd))
		return cmd;

	req = cmd->req;
	req->port = cpu_to_le32(port);

	err = vrdma_cmd_exec_killable(dev, cmd);
	if (err) {
		vrdma_cmd_put(cmd);
		return ERR_PTR(err);
	}
	return cmd;
}

/* What a port on InfiniBand has besides. */
static int vrdma_query_ib_port(struct vrdma_dev *dev, u32 port, struct ib_port_attr *attr)
{
	struct vrdma_rsp_query_ib_port *rsp;
	struct vrdma_cmd *cmd;

	cmd = vrdma_ask_port(dev, VRDMA_CMD_QUERY_IB_PORT, port, sizeof(*rsp));
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	rsp = cmd->rsp;
	attr->lid = le16_to_cpu(rsp->lid);
	attr->sm_lid = le16_to_cpu(rsp->sm_lid);
	attr->lmc = rsp->lmc;
	attr->sm_sl = rsp->sm_sl;
	attr->subnet_timeout = rsp->subnet_timeout;
	attr->init_type_reply = rsp->init_type_reply;
	attr->max_vl_num = rsp->max_vl_num;
	vrdma_cmd_put(cmd);
	return 0;
}

static int vrdma_query_port(struct ib_device *ibdev, u32 port, struct ib_port_attr *attr)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibdev);
	struct vrdma_cmd *cmd;
	int err;

	cmd = vrdma_ask_port(dev, VRDMA_CMD_QUERY_PORT, port, sizeof(struct vrdma_rsp_query_port));
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	err = vrdma_unpack_port(dev, attr, cmd->rsp);
	vrdma_cmd_put(cmd);
	if (err)
		return err;
	if (vrdma_is_infiniband(dev))
		return vrdma_query_ib_port(dev, port, attr);

	vrdma_apply_netdev(ibdev, attr);
	return 0;
}

/* rdma-ndd writes the node's description at boot. */
static int vrdma_modify_device(struct ib_device *ibdev, int mask, struct ib_device_modify *modify)
{
	if (mask & ~IB_DEVICE_MODIFY_NODE_DESC)
		return -EOPNOTSUPP;

	if (mask & IB_DEVICE_MODIFY_NODE_DESC)
		memcpy(ibdev->node_desc, modify->node_desc, sizeof(ibdev->node_desc));
	return 0;
}

/* The core's connection manager sets IB_PORT_CM_SUP when it comes, and clears it when it goes. */
static int vrdma_modify_port(struct ib_device *ibdev, u32 port, int mask,
			     struct ib_port_modify *modify)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibdev);

	if (mask & ~IB_PORT_RESET_QKEY_CNTR)
		return -EOPNOTSUPP;

	dev->port_caps_set |= modify->set_port_cap_mask;
	dev->port_caps_cleared &= ~modify->set_port_cap_mask;
	dev->port_caps_set &= ~modify->clr_port_cap_mask;
	dev->port_caps_cleared |= modify->clr_port_cap_mask;
	return 0;
}

/* Asks for an entry of a table of a port on InfiniBand. */
static struct vrdma_cmd *vrdma_query_table(struct vrdma_dev *dev, u16 opcode, u32 port, u32 index,
					   u32 answer_len)
{
	struct vrdma_cmd_query_table *req;
	struct vrdma_cmd *cmd;
	int err;

	cmd = vrdma_cmd_alloc(dev, opcode, sizeof(*req), answer_len, VRDMA_NO_HANDLE, NULL);
	if (IS_ERR(cmd))
		return cmd;

	req = cmd->req;
	req->port = cpu_to_le32(port);
	req->index = cpu_to_le32(index);

	err = vrdma_cmd_exec_killable(dev, cmd);
	if (err) {
		vrdma_cmd_put(cmd);
		return ERR_PTR(err);
	}
	return cmd;
}

static int vrdma_query_pkey(struct ib_device *ibdev, u32 port, u16 index, u16 *pkey)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibdev);
	struct vrdma_rsp_query_pkey *rsp;
	struct vrdma_cmd *cmd;

	if (!vrdma_is_infiniband(dev)) {
		*pkey = IB_DEFAULT_PKEY_FULL;
		return index ? -EINVAL : 0;
	}

	cmd = vrdma_query_table(dev, VRDMA_CMD_QUERY_PKEY, port, index, sizeof(*rsp));
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	rsp = cmd->rsp;
	*pkey = le16_to_cpu(rsp->pkey);
	vrdma_cmd_put(cmd);
	return 0;
}

/* The core asks ports on InfiniBand only: the GIDs of the others are the core's own. */
static int vrdma_query_gid(struct ib_device *ibdev, u32 port, int index, union ib_gid *gid)
{
	struct vrdma_rsp_query_gid *rsp;
	struct vrdma_cmd *cmd;

	cmd = vrdma_query_table(to_vrdma_dev(ibdev), VRDMA_CMD_QUERY_GID, port, index,
				sizeof(*rsp));
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	rsp = cmd->rsp;
	memcpy(gid->raw, rsp->gid, sizeof(gid->raw));
	vrdma_cmd_put(cmd);
	return 0;
}

/*
 * IB_MAD and IB_CM attach through QPs of the kernel; a port whose queues only the
 * user's library knows cannot have any.
 */
static u32 vrdma_core_cap_flags(const struct vrdma_dev *dev)
{
	if (vrdma_is_iwarp(dev))
		return RDMA_CORE_PORT_IWARP;
	/* The subnet's management is the host's. */
	if (vrdma_is_infiniband(dev))
		return RDMA_CORE_CAP_PROT_IB;
	if (vrdma_has_kernel_verbs(dev))
		return RDMA_CORE_PORT_IBA_ROCE_UDP_ENCAP;
	return RDMA_CORE_CAP_PROT_ROCE_UDP_ENCAP | RDMA_CORE_CAP_ETH_AH;
}

static int vrdma_get_port_immutable(struct ib_device *ibdev, u32 port,
				    struct ib_port_immutable *immutable)
{
	struct ib_port_attr attr;
	int err;

	immutable->core_cap_flags = vrdma_core_cap_flags(to_vrdma_dev(ibdev));
	if (immutable->core_cap_flags & RDMA_CORE_CAP_IB_MAD)
		immutable->max_mad_size = IB_MGMT_MAD_SIZE;

	err = ib_query_port(ibdev, port, &attr);
	if (err)
		return err;

	immutable->gid_tbl_len = attr.gid_tbl_len;
	immutable->pkey_tbl_len = attr.pkey_tbl_len;
	return 0;
}

static enum rdma_link_layer vrdma_get_link_layer(struct ib_device *ibdev, u32 port)
{
	return vrdma_is_infiniband(to_vrdma_dev(ibdev)) ? IB_LINK_LAYER_INFINIBAND :
							  IB_LINK_LAYER_ETHERNET;
}

static void vrdma_get_dev_fw_str(struct ib_device *ibdev, char *str)
{
	u64 version = ibdev->attrs.fw_ver;

	snprintf(str, IB_FW_VERSION_NAME_MAX, "%u.%u.%u", (u32)(version >> 32),
		 (u32)(version >> 16) & 0xffff, (u32)version & 0xffff);
}

static const struct ib_device_ops vrdma_device_ops = {
	.owner = THIS_MODULE,

	.get_dev_fw_str = vrdma_get_dev_fw_str,
	.get_link_layer = vrdma_get_link_layer,
	.get_netdev = vrdma_get_netdev,
	.get_port_immutable = vrdma_get_port_immutable,
	.modify_device = vrdma_modify_device,
	.modify_port = vrdma_modify_port,
	.query_device = vrdma_query_device,
	.query_gid = vrdma_query_gid,
	.query_pkey = vrdma_query_pkey,
	.query_port = vrdma_query_port,
};

void vrdma_device_set_ops(struct vrdma_dev *dev)
{
	ib_set_device_ops(&dev->ibdev, &vrdma_device_ops);
}
