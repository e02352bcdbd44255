// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/*
 * vrdma guest driver: the netdev that the port is paired with.
 *
 * The port has it through ops.get_netdev, not through ib_device_set_netdev():
 * ib_device_get_by_netdev() looks devices up by netdev and driver id, and ours
 * is that of the host's RNIC.  With rdma_rxe or siw loaded in the guest, theirs
 * would take this ib_device for one of their own.
 */
#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/pci.h>
#include <linux/rtnetlink.h>

#include "core/dev.h"
#include "core/events.h"
#include "core/netdev.h"

static bool vrdma_netdev_matches(struct vrdma_dev *dev, struct net_device *ndev)
{
	struct device *parent = ndev->dev.parent;

	/* A netdev that is stacked on the netdev may have its MAC, but has no parent. */
	if (ndev->type != ARPHRD_ETHER || !parent)
		return false;
	if (is_zero_ether_addr(dev->mac))
		return dev_is_pci(parent) || parent->bus == dev->vdev->dev.bus;
	/* A slave of a bond or team has the address of another slave, maybe. */
	return ether_addr_equal(ndev->perm_addr, dev->mac) ||
	       (ether_addr_equal(ndev->dev_addr, dev->mac) && !netif_is_lag_port(ndev));
}

/*
 * The virtio device has a directory "net", as an adapter's own device has.  Programs look
 * there for the netdev of an RDMA device.
 */
static void vrdma_netdev_unlink(struct vrdma_dev *dev)
{
	if (dev->netdev_link[0])
		sysfs_remove_link(dev->netdev_dir, dev->netdev_link);
	dev->netdev_link[0] = '\0';
}

static void vrdma_netdev_link(struct vrdma_dev *dev, struct net_device *ndev)
{
	ASSERT_RTNL();
	vrdma_netdev_unlink(dev);
	if (dev->netdev_dir && !sysfs_create_link(dev->netdev_dir, &ndev->dev.kobj, ndev->name))
		strscpy(dev->netdev_link, ndev->name, sizeof(dev->netdev_link));
}

static void vrdma_netdev_update(struct vrdma_dev *dev, struct net_device *ndev)
{
	bool link_up = ndev && netif_running(ndev) && netif_carrier_ok(ndev);

	ASSERT_RTNL();
	if (link_up == dev->link_up || !READ_ONCE(dev->registered))
		return;

	dev->link_up = link_up;
	vrdma_dispatch(dev, link_up ? IB_EVENT_PORT_ACTIVE : IB_EVENT_PORT_ERR);
}

static int vrdma_netdev_event(struct notifier_block *nb, unsigned long event, void *info)
{
	struct vrdma_dev *dev = container_of(nb, struct vrdma_dev, netdev_nb);
	struct net_device *paired = rtnl_dereference(dev->netdev);
	struct net_device *ndev = netdev_notifier_info_to_dev(info);

	if (event == NETDEV_REGISTER && !paired && vrdma_netdev_matches(dev, ndev)) {
		rcu_assign_pointer(dev->netdev, ndev);
		vrdma_netdev_link(dev, ndev);
		dev_info(&dev->vdev->dev, "paired with %s\n", netdev_name(ndev));
		return NOTIFY_DONE;
	}
	if (ndev != paired)
		return NOTIFY_DONE;

	switch (event) {
	case NETDEV_CHANGENAME:
		vrdma_netdev_link(dev, ndev);
		break;
	case NETDEV_UNREGISTER:
		vrdma_netdev_unlink(dev);
		RCU_INIT_POINTER(dev->netdev, NULL);
		vrdma_netdev_update(dev, NULL);
		break;
	case NETDEV_UP:
	case NETDEV_DOWN:
	case NETDEV_CHANGE:
		vrdma_netdev_update(dev, ndev);
		break;
	}

	return NOTIFY_DONE;
}

/*
 * Pairs the port with its netdev, unless the port is on InfiniBand and has none.  Returns
 * -EPROBE_DEFER while there is none.
 */
int vrdma_netdev_pair(struct vrdma_dev *dev)
{
	struct device *parent = &dev->vdev->dev;
	int err;

	if (vrdma_is_infiniband(dev))
		return 0;

	/* Without the directory, only programs that look for it miss something. */
	dev->netdev_dir = kobject_create_and_add("net", &parent->kobj);

	/* This replays NETDEV_REGISTER for all netdevs that there are. */
	dev->netdev_nb.notifier_call = vrdma_netdev_event;
	err = register_netdevice_notifier(&dev->netdev_nb);
	if (err)
		goto err_dir;

	if (rcu_access_pointer(dev->netdev))
		return 0;

	unregister_netdevice_notifier(&dev->netdev_nb);
	dev_notice_once(parent,
			"no Ethernet netdev with MAC %pM yet (zero: any); waiting for its driver\n",
			dev->mac);
	err = dev_err_probe(parent, -EPROBE_DEFER, "no netdev with MAC %pM\n", dev->mac);
err_dir:
	kobject_put(dev->netdev_dir);
	return err;
}

void vrdma_netdev_unpair(struct vrdma_dev *dev)
{
	if (vrdma_is_infiniband(dev))
		return;

	/* This replays NETDEV_UNREGISTER. */
	unregister_netdevice_notifier(&dev->netdev_nb);
	kobject_put(dev->netdev_dir);
}

/* Dispatches the event of a link that came up before events could be dispatched. */
void vrdma_netdev_refresh(struct vrdma_dev *dev)
{
	rtnl_lock();
	vrdma_netdev_update(dev, rtnl_dereference(dev->netdev));
	rtnl_unlock();
}

/* Returns the paired netdev, with a reference, or NULL. */
struct net_device *vrdma_get_netdev(struct ib_device *ibdev, u32 port)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibdev);
	struct net_device *ndev;

	rcu_read_lock();
	ndev = rcu_dereference(dev->netdev);
	if (ndev && ndev->reg_state == NETREG_REGISTERED)
		dev_hold(ndev);
	else
		ndev = NULL;
	rcu_read_unlock();

	return ndev;
}
