// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/*
 * vrdma guest driver: the GID table, which follows the paired netdev.
 *
 * Where the slaves of a bond are paired with one device each, the device of the active slave has
 * the bond's GIDs.  On a wire, the switches see to that.  Two things make the core keep such a GID
 * on a device that the bond has left: it gives the bond's default GID to all of them, and a GID
 * that a queue pair uses stays.  The virtual device is not told of GIDs that are so hidden.
 */
#include <linux/list.h>
#include <linux/slab.h>
#include <net/bonding.h>
#include <rdma/ib_addr.h>
#include <rdma/ib_cache.h>

#include "core/cmd.h"
#include "core/cmdq.h"
#include "core/dev.h"
#include "verbs/gid.h"

/* ADD_GID or DEL_GID: @type is a VRDMA_GID_TYPE_*, @vlan 0xffff for none. */
int vrdma_gid_cmd(struct vrdma_dev *dev, u16 opcode, u32 index, const void *gid, u32 type,
		  u16 vlan, const u8 *mac)
{
	struct vrdma_cmd_gid *req;
	struct vrdma_cmd *cmd;
	int err;

	cmd = vrdma_cmd_alloc(dev, opcode, sizeof(*req), sizeof(struct vrdma_rsp_empty),
			      VRDMA_NO_HANDLE, NULL);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	req = cmd->req;
	req->port = cpu_to_le32(VRDMA_PORT);
	req->index = cpu_to_le32(index);
	memcpy(req->gid, gid, sizeof(req->gid));
	req->type = cpu_to_le32(type);
	req->vlan = cpu_to_le16(vlan);
	memcpy(req->mac, mac, sizeof(req->mac));

	err = vrdma_cmd_exec(dev, cmd);
	vrdma_cmd_put(cmd);
	return err;
}

/* A GID that the core has on the device. */
struct vrdma_gid {
	union ib_gid gid;
	u16 vlan;
	u8 mac[ETH_ALEN];
	int bond;	/* the ifindex of the bond that has the address, or 0 */
	bool told;	/* the virtual device has it */
};

/* The devices that have GIDs. */
static DEFINE_SPINLOCK(vrdma_gid_devices_lock);
static LIST_HEAD(vrdma_gid_devices);

static bool vrdma_gid_paired(const struct net_device *ndev)
{
	struct vrdma_dev *dev;
	bool paired = false;

	spin_lock(&vrdma_gid_devices_lock);
	list_for_each_entry(dev, &vrdma_gid_devices, gid_list)
		paired |= rcu_access_pointer(dev->netdev) == ndev;
	spin_unlock(&vrdma_gid_devices_lock);
	return paired;
}

/* Whether another device has the bond's GIDs now.  Under RCU: rtnl may be held, or not. */
static bool vrdma_gid_hidden(struct vrdma_dev *dev, int ifindex)
{
	struct net_device *active = NULL;
	struct net_device *bond = NULL;
	struct net_device *own;
	bool hidden;

	rcu_read_lock();
	own = rcu_dereference(dev->netdev);
	if (own && ifindex)
		bond = dev_get_by_index_rcu(dev_net(own), ifindex);
	if (bond && netif_is_bond_master(bond))
		active = bond_option_active_slave_get_rcu(netdev_priv(bond));
	hidden = active && active != own && vrdma_gid_paired(active);
	rcu_read_unlock();
	return hidden;
}

/* Tells the device of a GID, or that it is gone, where that changes what the device knows. */
static int vrdma_gid_tell(struct vrdma_dev *dev, u32 index, struct vrdma_gid *entry, bool shown)
{
	int err;

	lockdep_assert_held(&dev->gid_lock);
	if (entry->told == shown)
		return 0;

	err = vrdma_gid_cmd(dev, shown ? VRDMA_CMD_ADD_GID : VRDMA_CMD_DEL_GID, index,
			    entry->gid.raw, VRDMA_GID_TYPE_ROCE_V2, entry->vlan, entry->mac);
	if (!err)
		entry->told = shown;
	return err;
}

static void vrdma_gid_work(struct work_struct *work)
{
	struct vrdma_dev *dev = container_of(work, struct vrdma_dev, gid_work);
	struct vrdma_gid *entry;
	unsigned long index;
	int err;

	mutex_lock(&dev->gid_lock);
	xa_for_each(&dev->gids, index, entry) {
		err = vrdma_gid_tell(dev, index, entry, !vrdma_gid_hidden(dev, entry->bond));
		if (err && vrdma_alive(dev))
			dev_warn(&dev->vdev->dev, "GID %lu does not follow its bond: %d\n", index,
				 err);
	}
	mutex_unlock(&dev->gid_lock);
}

static int vrdma_gid_netdev_event(struct notifier_block *nb, unsigned long event, void *info)
{
	struct vrdma_dev *dev = container_of(nb, struct vrdma_dev, gid_nb);

	if (event == NETDEV_BONDING_FAILOVER || event == NETDEV_CHANGEUPPER)
		queue_work(system_long_wq, &dev->gid_work);
	return NOTIFY_DONE;
}

/* The other devices' GIDs depend on which devices there are. */
static void vrdma_gid_devices_changed(void)
{
	struct vrdma_dev *dev;

	lockdep_assert_held(&vrdma_gid_devices_lock);
	list_for_each_entry(dev, &vrdma_gid_devices, gid_list)
		queue_work(system_long_wq, &dev->gid_work);
}

void vrdma_gid_init(struct vrdma_dev *dev)
{
	mutex_init(&dev->gid_lock);
	xa_init(&dev->gids);
	INIT_WORK(&dev->gid_work, vrdma_gid_work);
	dev->gid_nb.notifier_call = vrdma_gid_netdev_event;
}

/* To be called before the core knows the device. */
int vrdma_gid_start(struct vrdma_dev *dev)
{
	int err;

	err = register_netdevice_notifier(&dev->gid_nb);
	if (err)
		return err;

	spin_lock(&vrdma_gid_devices_lock);
	list_add_tail(&dev->gid_list, &vrdma_gid_devices);
	vrdma_gid_devices_changed();
	spin_unlock(&vrdma_gid_devices_lock);
	return 0;
}

/* To be called when the core does not know the device any more. */
void vrdma_gid_stop(struct vrdma_dev *dev)
{
	struct vrdma_gid *entry;
	unsigned long index;

	spin_lock(&vrdma_gid_devices_lock);
	list_del(&dev->gid_list);
	vrdma_gid_devices_changed();
	spin_unlock(&vrdma_gid_devices_lock);

	unregister_netdevice_notifier(&dev->gid_nb);
	cancel_work_sync(&dev->gid_work);
	xa_for_each(&dev->gids, index, entry)
		kfree(entry);
	xa_destroy(&dev->gids);
}

/* The ifindex of the bond whose address makes the GID, be it in a VLAN or not; 0 for none. */
static int vrdma_gid_bond(const struct ib_gid_attr *attr)
{
	struct net_device *ndev, *real;
	int ifindex = 0;

	rcu_read_lock();
	ndev = rcu_dereference(attr->ndev);
	real = ndev ? rdma_vlan_dev_real_dev(ndev) : NULL;
	if (!real)
		real = ndev;
	if (real && netif_is_bond_master(real))
		ifindex = real->ifindex;
	rcu_read_unlock();
	return ifindex;
}

static int vrdma_add_gid(const struct ib_gid_attr *attr, void **context)
{
	struct vrdma_dev *dev = to_vrdma_dev(attr->device);
	struct vrdma_gid *entry;
	int err;

	if (attr->gid_type != IB_GID_TYPE_ROCE_UDP_ENCAP)
		return -EOPNOTSUPP;

	entry = kzalloc(sizeof(*entry), GFP_KERNEL);
	if (!entry)
		return -ENOMEM;

	entry->gid = attr->gid;
	entry->bond = vrdma_gid_bond(attr);
	err = rdma_read_gid_l2_fields(attr, &entry->vlan, entry->mac);
	if (err)
		goto err_entry;

	mutex_lock(&dev->gid_lock);
	err = xa_insert(&dev->gids, attr->index, entry, GFP_KERNEL);
	if (!err && !vrdma_gid_hidden(dev, entry->bond)) {
		err = vrdma_gid_tell(dev, attr->index, entry, true);
		if (err)
			xa_erase(&dev->gids, attr->index);
	}
	mutex_unlock(&dev->gid_lock);
	if (err)
		goto err_entry;
	return 0;

err_entry:
	kfree(entry);
	return err;
}

static int vrdma_del_gid(const struct ib_gid_attr *attr, void **context)
{
	struct vrdma_dev *dev = to_vrdma_dev(attr->device);
	struct vrdma_gid *entry;
	int err = 0;

	mutex_lock(&dev->gid_lock);
	entry = xa_erase(&dev->gids, attr->index);
	if (entry)
		err = vrdma_gid_tell(dev, attr->index, entry, false);
	mutex_unlock(&dev->gid_lock);
	kfree(entry);
	return err;
}

static const struct ib_device_ops vrdma_gid_ops = {
	.add_gid = vrdma_add_gid,
	.del_gid = vrdma_del_gid,
};

void vrdma_gid_set_ops(struct vrdma_dev *dev)
{
	ib_set_device_ops(&dev->ibdev, &vrdma_gid_ops);
}
