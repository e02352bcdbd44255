// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/*
 * vrdma guest driver: /dev/infiniband/rdma_cm itself, there while any device
 * forwards the connection manager's user interface.
 *
 * librdmacm finds the node by its name, which is that of rdma_ucm's own, so there can be one
 * node only.  rdma_ucm cannot see devices without verbs for the kernel, as this device is.  So
 * rdma_ucm is kept from loading while the node is ours (its own attempt at the name would end
 * in a stack trace).  An rdma_ucm that is there already keeps the node, which becomes ours when
 * rdma_ucm is unloaded.
 *
 * librdmacm asks RDMA netlink first, which knows rdma_ucm only: the structure that
 * an answer needs (struct ib_client_nl_info) is private to the RDMA core.
 */
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <rdma/rdma_user_cm.h>

#include "core/dev.h"
#include "core/events.h"
#include "ucma/file.h"
#include "ucma/ucma.h"

static bool vrdma_ucma_enabled = true;
module_param_named(rdma_cm, vrdma_ucma_enabled, bool, 0444);
MODULE_PARM_DESC(rdma_cm,
		 "Provide /dev/infiniband/rdma_cm where the device forwards it; 0 leaves that to rdma_ucm");

/* vrdma_ucma_mutex protects the three. */
static bool vrdma_ucma_node_is_ours;
static bool vrdma_ucma_rdma_ucm_loaded;
static unsigned int vrdma_ucma_away;	/* devices that start again, and keep the node */

static ssize_t abi_version_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", RDMA_USER_CM_ABI_VERSION);
}
static DEVICE_ATTR_RO(abi_version);

static struct attribute *vrdma_ucma_attrs[] = {
	&dev_attr_abi_version.attr,
	NULL
};
ATTRIBUTE_GROUPS(vrdma_ucma);

static struct miscdevice vrdma_ucma_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "rdma_cm",
	.nodename = "infiniband/rdma_cm",
	.mode = 0666,
	.fops = &vrdma_ucma_fops,
	.groups = vrdma_ucma_groups,
};

/* All functions from here to vrdma_ucma_module_event() are called with vrdma_ucma_mutex. */

static void vrdma_ucma_register_node(void)
{
	int err;

	if (vrdma_ucma_node_is_ours)
		return;
	if (vrdma_ucma_rdma_ucm_loaded) {
		pr_notice("vrdma: librdmacm cannot use this device while rdma_ucm is loaded: rmmod rdma_ucm, and vrdma takes its place\n");
		return;
	}

	err = misc_register(&vrdma_ucma_misc);
	vrdma_ucma_node_is_ours = !err;
	if (err)
		pr_err("vrdma: there is no /dev/infiniband/rdma_cm, and no librdmacm: %d\n", err);
}

static void vrdma_ucma_unregister_node(void)
{
	if (!vrdma_ucma_node_is_ours)
		return;

	misc_deregister(&vrdma_ucma_misc);
	vrdma_ucma_node_is_ours = false;
}

static int vrdma_ucma_rdma_ucm_comes(void)
{
	if (vrdma_ucma_node_is_ours) {
		pr_info_once("vrdma: rdma_ucm is not loaded, because vrdma is in its place (unless loaded with rdma_cm=0)\n");
		return -EEXIST;
	}
	vrdma_ucma_rdma_ucm_loaded = true;
	return 0;
}

static void vrdma_ucma_rdma_ucm_gone(void)
{
	if (!vrdma_ucma_rdma_ucm_loaded)
		return;

	vrdma_ucma_rdma_ucm_loaded = false;
	if (!list_empty(&vrdma_ucmas))
		vrdma_ucma_register_node();
}

/* MODULE_STATE_GOING comes after the module has cleaned up, or has failed to start. */
static int vrdma_ucma_module_event(struct notifier_block *nb, unsigned long event, void *data)
{
	const struct module *module = data;
	int err = 0;

	if (strcmp(module->name, "rdma_ucm"))
		return NOTIFY_DONE;

	mutex_lock(&vrdma_ucma_mutex);
	if (event == MODULE_STATE_COMING)
		err = vrdma_ucma_rdma_ucm_comes();
	else if (event == MODULE_STATE_GOING)
		vrdma_ucma_rdma_ucm_gone();
	mutex_unlock(&vrdma_ucma_mutex);

	return notifier_from_errno(err);
}

static struct notifier_block vrdma_ucma_module_nb = {
	.notifier_call = vrdma_ucma_module_event,
};

/* To be called before the device's queues are started. */
int vrdma_ucma_init(struct vrdma_dev *dev)
{
	struct vrdma_ucma *ucma;

	vrdma_event_register(dev, VRDMA_EVENT_UCMA, vrdma_ucma_event, 0);
	if (!vrdma_ucma_enabled || !virtio_has_feature(dev->vdev, VRDMA_F_UCMA))
		return 0;

	ucma = kzalloc(sizeof(*ucma), GFP_KERNEL);
	if (!ucma)
		return -ENOMEM;

	refcount_set(&ucma->refs, 1);
	init_rwsem(&ucma->lock);
	xa_init_flags(&ucma->files, XA_FLAGS_LOCK_IRQ);
	INIT_LIST_HEAD(&ucma->list);
	ucma->dev = dev;
	dev->ucma = ucma;
	return 0;
}

/* To be called when the queues are stopped. */
void vrdma_ucma_free(struct vrdma_dev *dev)
{
	if (dev->ucma)
		vrdma_ucma_put(dev->ucma);
	dev->ucma = NULL;
}

/* Files are opened on the device from here on. */
void vrdma_ucma_start(struct vrdma_dev *dev)
{
	if (!dev->ucma)
		return;

	mutex_lock(&vrdma_ucma_mutex);
	list_add_tail(&dev->ucma->list, &vrdma_ucmas);
	vrdma_ucma_register_node();
	mutex_unlock(&vrdma_ucma_mutex);
}

/* With vrdma_ucma_mutex. */
static void vrdma_ucma_drop_node(void)
{
	if (list_empty(&vrdma_ucmas) && !vrdma_ucma_away)
		vrdma_ucma_unregister_node();
}

/*
 * The device that vrdma_ucma_stop() was told of is back, with another structure, or will not come.
 * Only from now on may another device's end take the node away.
 */
void vrdma_ucma_returned(void)
{
	mutex_lock(&vrdma_ucma_mutex);
	vrdma_ucma_away--;
	vrdma_ucma_drop_node();
	mutex_unlock(&vrdma_ucma_mutex);
}

/*
 * Returns when no file uses the device any more.  The reset ends what files have there.  With
 * @comes_back the node stays, which rdma_ucm would take otherwise; vrdma_ucma_returned() follows.
 */
void vrdma_ucma_stop(struct vrdma_dev *dev, bool comes_back)
{
	struct vrdma_ucma *ucma = dev->ucma;

	if (!ucma)
		return;

	mutex_lock(&vrdma_ucma_mutex);
	list_del_init(&ucma->list);
	if (comes_back)
		vrdma_ucma_away++;
	vrdma_ucma_drop_node();
	mutex_unlock(&vrdma_ucma_mutex);

	vrdma_ucma_fail(dev);
	down_write(&ucma->lock);
	ucma->dev = NULL;
	up_write(&ucma->lock);
}

int vrdma_ucma_module_init(void)
{
	struct kobject *rdma_ucm;
	int err;

	err = register_module_notifier(&vrdma_ucma_module_nb);
	if (err)
		return err;

	mutex_lock(&vrdma_ucma_mutex);
	rdma_ucm = kset_find_obj(THIS_MODULE->mkobj.kobj.kset, "rdma_ucm");
	if (rdma_ucm || IS_BUILTIN(CONFIG_INFINIBAND_USER_ACCESS))
		vrdma_ucma_rdma_ucm_loaded = true;
	mutex_unlock(&vrdma_ucma_mutex);
	kobject_put(rdma_ucm);
	return 0;
}

void vrdma_ucma_module_exit(void)
{
	unregister_module_notifier(&vrdma_ucma_module_nb);
}
