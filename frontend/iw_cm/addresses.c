// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/*
 * vrdma guest driver: the IP addresses of an iWARP port.
 *
 * The core keeps no table of the addresses, as it does for RoCE.  The device must know them,
 * since it leads connections from guest to guest by them.
 */
#include <linux/inetdevice.h>
#include <net/addrconf.h>
#include <net/if_inet6.h>
#include <net/ipv6.h>

#include "core/dev.h"
#include "iw_cm/iw_cm.h"
#include "iw_cm/state.h"
#include "verbs/gid.h"

struct vrdma_iw_ips {
	struct in6_addr ip[VRDMA_IW_MAX_IPS];
	u32 count;
};

static void vrdma_iw_add_ip(struct vrdma_iw_ips *ips, const struct in6_addr *ip)
{
	if (ips->count < VRDMA_IW_MAX_IPS)
		ips->ip[ips->count++] = *ip;
}

/* Under RCU, not rtnl: the core may call with locks that are taken under rtnl elsewhere. */
static void vrdma_iw_collect(struct net_device *ndev, struct vrdma_iw_ips *ips)
{
	struct inet6_dev *in6_dev = __in6_dev_get(ndev);
	struct in_device *in_dev = __in_dev_get_rcu(ndev);
	struct inet6_ifaddr *ifp;
	const struct in_ifaddr *ifa;
	struct in6_addr ip;

	if (in_dev) {
		in_dev_for_each_ifa_rcu(ifa, in_dev) {
			ipv6_addr_set_v4mapped(ifa->ifa_local, &ip);
			vrdma_iw_add_ip(ips, &ip);
		}
	}
	if (in6_dev) {
		read_lock_bh(&in6_dev->lock);
		list_for_each_entry(ifp, &in6_dev->addr_list, if_list)
			vrdma_iw_add_ip(ips, &ifp->addr);
		read_unlock_bh(&in6_dev->lock);
	}
}

static bool vrdma_iw_has_ip(const struct vrdma_iw_ips *ips, const struct in6_addr *ip)
{
	u32 i;

	for (i = 0; i < ips->count; i++)
		if (ipv6_addr_equal(&ips->ip[i], ip))
			return true;
	return false;
}

static int vrdma_iw_ip_cmd(struct vrdma_dev *dev, u16 opcode, u32 index, const struct in6_addr *ip)
{
	return vrdma_gid_cmd(dev, opcode, index, ip, VRDMA_GID_TYPE_IWARP, 0xffff, dev->mac);
}

static void vrdma_iw_forget_gone(struct vrdma_dev *dev, const struct vrdma_iw_ips *ips)
{
	u32 i;

	for (i = 0; i < VRDMA_IW_MAX_IPS; i++) {
		struct in6_addr *known = &dev->iw_cm->ips[i];

		if (ipv6_addr_any(known) || vrdma_iw_has_ip(ips, known))
			continue;
		if (!vrdma_iw_ip_cmd(dev, VRDMA_CMD_DEL_GID, i, known))
			memset(known, 0, sizeof(*known));
	}
}

/* An address that the device refuses is offered again the next time. */
static void vrdma_iw_make_known(struct vrdma_dev *dev, const struct in6_addr *ip)
{
	u32 i, free = VRDMA_IW_MAX_IPS;

	for (i = 0; i < VRDMA_IW_MAX_IPS; i++) {
		if (ipv6_addr_equal(&dev->iw_cm->ips[i], ip))
			return;
		if (free == VRDMA_IW_MAX_IPS && ipv6_addr_any(&dev->iw_cm->ips[i]))
			free = i;
	}
	if (free < VRDMA_IW_MAX_IPS && !vrdma_iw_ip_cmd(dev, VRDMA_CMD_ADD_GID, free, ip))
		dev->iw_cm->ips[free] = *ip;
}

/* When this returns, the device knows the addresses that the paired netdev has now. */
void vrdma_iw_sync_addresses(struct vrdma_dev *dev)
{
	struct vrdma_iw_ips *ips = kzalloc(sizeof(*ips), GFP_KERNEL);
	struct net_device *ndev;
	u32 i;

	if (!ips)
		return;

	mutex_lock(&dev->iw_cm->ips_lock);
	rcu_read_lock();
	ndev = rcu_dereference(dev->netdev);
	if (ndev)
		vrdma_iw_collect(ndev, ips);
	rcu_read_unlock();

	vrdma_iw_forget_gone(dev, ips);
	for (i = 0; i < ips->count; i++)
		vrdma_iw_make_known(dev, &ips->ip[i]);
	mutex_unlock(&dev->iw_cm->ips_lock);
	kfree(ips);
}

static void vrdma_iw_ips_work(struct work_struct *work)
{
	vrdma_iw_sync_addresses(container_of(work, struct vrdma_iw_cm, ips_work)->dev);
}

static int vrdma_iw_ipv4_event(struct notifier_block *nb, unsigned long event, void *info)
{
	struct vrdma_iw_cm *iw = container_of(nb, struct vrdma_iw_cm, ipv4_nb);

	queue_work(system_long_wq, &iw->ips_work);
	return NOTIFY_DONE;
}

/* The kernel may call this in atomic context. */
static int vrdma_iw_ipv6_event(struct notifier_block *nb, unsigned long event, void *info)
{
	struct vrdma_iw_cm *iw = container_of(nb, struct vrdma_iw_cm, ipv6_nb);

	queue_work(system_long_wq, &iw->ips_work);
	return NOTIFY_DONE;
}

void vrdma_iw_addresses_init(struct vrdma_iw_cm *iw)
{
	mutex_init(&iw->ips_lock);
	INIT_WORK(&iw->ips_work, vrdma_iw_ips_work);
	iw->ipv4_nb.notifier_call = vrdma_iw_ipv4_event;
	iw->ipv6_nb.notifier_call = vrdma_iw_ipv6_event;
}

int vrdma_iw_addresses_start(struct vrdma_dev *dev)
{
	struct vrdma_iw_cm *iw = dev->iw_cm;
	int err;

	if (!iw)
		return 0;

	err = register_inetaddr_notifier(&iw->ipv4_nb);
	if (err)
		return err;

	err = register_inet6addr_notifier(&iw->ipv6_nb);
	if (err) {
		unregister_inetaddr_notifier(&iw->ipv4_nb);
		return err;
	}
	queue_work(system_long_wq, &iw->ips_work);
	return 0;
}

void vrdma_iw_addresses_stop(struct vrdma_dev *dev)
{
	struct vrdma_iw_cm *iw = dev->iw_cm;

	if (!iw)
		return;

	unregister_inet6addr_notifier(&iw->ipv6_nb);
	unregister_inetaddr_notifier(&iw->ipv4_nb);
	cancel_work_sync(&iw->ips_work);
}
