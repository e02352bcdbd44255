/* SPDX-License-Identifier: GPL-2.0 */
/* vrdma guest driver: the structures that its files share. */
#ifndef VRDMA_H
#define VRDMA_H

#include <linux/completion.h>
#include <linux/in6.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/notifier.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <rdma/ib_verbs.h>
#include <rdma/rdma_user_rxe.h>

#include "vrdma_check.h"
#include "core/compat.h"

#define VRDMA_PORT	1
/* What a fast registration has room for: some pages of memory, in one piece. */
#define VRDMA_MAX_FAST_REG_PAGES	2048

enum vrdma_state {
	VRDMA_ALIVE,
	VRDMA_STOPPING,		/* no new commands; the device is being reset */
	VRDMA_DEAD,		/* reset: it touches no guest memory any more */
};

/* controlq */
struct vrdma_cmdq {
	struct virtqueue *vq;
	spinlock_t lock;	/* of vq and dev->state */
	struct mutex submit;	/* makes submitters take turns when vq is full */
	wait_queue_head_t wait;	/* for room in vq, or for VRDMA_DEAD */
	unsigned int completed;	/* commands so far */
	unsigned int sleepers;	/* that wait for an interrupt; with none, there are none */
};

/* eventq or a completionq: buffers of one size that the device fills */
struct vrdma_inq {
	struct virtqueue *vq;
	spinlock_t lock;	/* of vq */
	u32 size;
	void *buffers;
	char name[24];
};

/* An object that events name by its handle. */
struct vrdma_tracked {
	refcount_t refs;
	struct completion idle;
};

struct vrdma_dev;

/*
 * @handle is the event's, of an object or a file; @type is the core's name for the event,
 * where it has one.
 */
typedef void (*vrdma_event_handler)(struct vrdma_dev *dev, u32 handle, enum ib_event_type type);

struct vrdma_event_entry {
	vrdma_event_handler handle;
	enum ib_event_type ib_type;
};

/* User memory that the device uses as long as an object lives. */
struct vrdma_pins {
	struct ib_umem *umem[VRDMA_MAX_UDATA_REGIONS];
	u32 count;
};

/* What the device has mapped in the window for a user context. */
struct vrdma_mapping {
	u64 shm_offset;
	u64 length;
	u32 uctx;
};

#define VRDMA_IW_MAX_IPS	64

/* Connections (vrdma_iwcm.c) and addresses (vrdma_iw_addr.c) of an iWARP RNIC. */
struct vrdma_iw {
	struct mutex lock;	/* of conns, what is in it, and the QPs' iw_conn */
	struct xarray conns;
	u32 next_id;
	struct work_struct event_work;

	struct mutex ips_lock;	/* of ips */
	struct in6_addr ips[VRDMA_IW_MAX_IPS];	/* what the device knows, by index */
	struct work_struct ips_work;
	struct notifier_block ipv4_nb;
	struct notifier_block ipv6_nb;
};

struct vrdma_ucm;

struct vrdma_dev {
	struct ib_device ibdev;
	struct virtio_device *vdev;
	enum vrdma_state state;
	bool registered;	/* events may be dispatched */
	bool rnic_gone;		/* the device has lost the RNIC behind it */
	bool untold;		/* a command has stopped the device, and nobody was told */
	struct work_struct look_work;	/* recovery.c */

	u32 max_qp;
	u32 max_cq;
	u32 max_mr_runs;
	u32 max_udata;
	u8 mac[ETH_ALEN];

	struct vrdma_udata_pointer udata_pointers[VRDMA_MAX_UDATA_POINTERS];
	u32 udata_pointer_count;

	struct virtio_shm_region window;
	struct vrdma_doorbell_area *doorbells;
	u64 doorbells_offset;
	u64 doorbells_length;

	struct vrdma_cmdq cmdq;
	struct vrdma_inq eventq;
	struct virtqueue *doorbellq;
	struct vrdma_inq *completionqs;
	struct vrdma_event_entry events[VRDMA_EVENT_DEVICE_FATAL + 1];
	void (*completed)(struct vrdma_dev *dev, u32 cq);	/* set before the queues start */

	struct xarray cqs;
	struct xarray qps;
	struct xarray srqs;

	u32 kernel_uctx;	/* of the kernel's own objects, or VRDMA_NO_HANDLE */
	struct xarray kernel_qps;	/* by number */
	struct work_struct flush_work;

	struct net_device __rcu *netdev;
	struct notifier_block netdev_nb;
	bool link_up;		/* under rtnl, as the next */
	char netdev_link[IFNAMSIZ];	/* to the netdev, in netdev_dir; empty for none */
	struct kobject *netdev_dir;

	struct vrdma_iw iw;
	struct vrdma_ucm *ucm;	/* with VRDMA_F_UCMA */
};

struct vrdma_ucontext {
	struct ib_ucontext ibuctx;
	u32 handle;
};

struct vrdma_pd {
	struct ib_pd ibpd;
	u32 handle;
	u32 uctx;
};

struct vrdma_mr {
	struct ib_mr ibmr;
	struct ib_umem *umem;
	struct vrdma_fast_reg *fast_reg;	/* of the kernel's, read by the device */
	u32 max_pages;		/* that it has room for, */
	u32 page_count;		/* and that were mapped last */
	int access;
	u32 handle;
	u32 uctx;
};

struct vrdma_mw {
	struct ib_mw ibmw;
	u32 handle;
	u32 uctx;
};

struct vrdma_cq {
	struct ib_cq ibcq;
	struct vrdma_tracked tracked;
	struct vrdma_pins pins;
	struct vrdma_kcq *kcq;	/* the kernel's own (kernel_verbs/), as in the next two */
	void (*completed)(struct vrdma_cq *cq);
	spinlock_t arm_lock;	/* of the CQ's entry in cq_arm */
	u32 handle;
	u32 uctx;
};

struct vrdma_srq {
	struct ib_srq ibsrq;
	struct vrdma_tracked tracked;
	struct vrdma_pins pins;
	struct vrdma_ksrq *ksrq;
	u32 handle;
	u32 uctx;
};

struct vrdma_qp {
	struct ib_qp ibqp;
	struct vrdma_tracked tracked;
	struct vrdma_pins pins;
	struct vrdma_kqp *kqp;
	struct ib_qp_cap cap;
	enum ib_sig_type sig_type;
	enum ib_qp_state state;		/* as it was last modified to */
	struct vrdma_iw_conn *iw_conn;
	u32 handle;
	u32 uctx;
};

struct vrdma_ah {
	struct ib_ah ibah;
	struct rxe_av av;	/* of the kernel's, which the device knows nothing of */
	bool kernel;
	u32 handle;
	u32 uctx;
};

static inline struct vrdma_dev *to_vrdma_dev(struct ib_device *ibdev)
{
	return container_of(ibdev, struct vrdma_dev, ibdev);
}

static inline struct vrdma_ucontext *to_vrdma_ucontext(struct ib_ucontext *ibuctx)
{
	return container_of(ibuctx, struct vrdma_ucontext, ibuctx);
}

static inline struct vrdma_pd *to_vrdma_pd(struct ib_pd *ibpd)
{
	return container_of(ibpd, struct vrdma_pd, ibpd);
}

static inline struct vrdma_mr *to_vrdma_mr(struct ib_mr *ibmr)
{
	return container_of(ibmr, struct vrdma_mr, ibmr);
}

static inline struct vrdma_mw *to_vrdma_mw(struct ib_mw *ibmw)
{
	return container_of(ibmw, struct vrdma_mw, ibmw);
}

static inline struct vrdma_cq *to_vrdma_cq(struct ib_cq *ibcq)
{
	return container_of(ibcq, struct vrdma_cq, ibcq);
}

static inline struct vrdma_srq *to_vrdma_srq(struct ib_srq *ibsrq)
{
	return container_of(ibsrq, struct vrdma_srq, ibsrq);
}

static inline struct vrdma_qp *to_vrdma_qp(struct ib_qp *ibqp)
{
	return container_of(ibqp, struct vrdma_qp, ibqp);
}

static inline struct vrdma_ah *to_vrdma_ah(struct ib_ah *ibah)
{
	return container_of(ibah, struct vrdma_ah, ibah);
}

/* The RNIC speaks iWARP, not RoCE. */
static inline bool vrdma_is_iwarp(const struct vrdma_dev *dev)
{
	return virtio_has_feature(dev->vdev, VRDMA_F_IWARP);
}

/* The device makes connections of its iWARP RNIC (iw_cm/). */
static inline bool vrdma_has_iw_cm(const struct vrdma_dev *dev)
{
	return virtio_has_feature(dev->vdev, VRDMA_F_IW_CM) && vrdma_is_iwarp(dev);
}

/* The RNIC's queues are such that the kernel can use them itself (kernel_verbs/). */
static inline bool vrdma_has_kernel_verbs(const struct vrdma_dev *dev)
{
	return virtio_has_feature(dev->vdev, VRDMA_F_KERNEL_VERBS) && !vrdma_is_iwarp(dev);
}

static inline bool vrdma_alive(const struct vrdma_dev *dev)
{
	return READ_ONCE(dev->state) == VRDMA_ALIVE;
}

/* The device touches nothing any more: what is outstanding may be flushed. */
static inline bool vrdma_dead(const struct vrdma_dev *dev)
{
	/* Pairs with the store that follows the reset, in vrdma_cmdq_stop(). */
	return smp_load_acquire(&dev->state) == VRDMA_DEAD;
}

/* Queues a look whether the device is lost (recovery.c); to be called in any context. */
static inline void vrdma_look(struct vrdma_dev *dev)
{
	queue_work(system_long_wq, &dev->look_work);
}

/* vrdma_udata.c */
int vrdma_udata_query(struct vrdma_dev *dev);
void vrdma_pins_release(struct vrdma_pins *pins);

/* vrdma_doorbell.c */
int vrdma_doorbells_map(struct vrdma_dev *dev);
void vrdma_doorbells_unmap(struct vrdma_dev *dev);
void vrdma_ring_qp(struct vrdma_dev *dev, u32 handle);
void vrdma_ring_cq(struct vrdma_dev *dev, u32 handle);

/* core/objects.c */
int vrdma_track(struct vrdma_dev *dev, struct xarray *table, struct vrdma_tracked *tracked,
		u32 uctx, u32 handle, u16 destroy);
struct vrdma_tracked *vrdma_tracked_get(struct xarray *table, u32 handle);
struct vrdma_tracked *vrdma_tracked_next(struct xarray *table, unsigned long *handle);
void vrdma_tracked_put(struct vrdma_tracked *tracked);
void vrdma_hide(struct xarray *table, u32 handle);
void vrdma_untrack(struct xarray *table, u32 handle, struct vrdma_tracked *tracked);

/* core/events.c */
void vrdma_event_register(struct vrdma_dev *dev, enum vrdma_event_type type,
			  vrdma_event_handler handle, enum ib_event_type ib_type);
int vrdma_inq_init(struct vrdma_inq *inq, struct virtqueue *vq, u32 size);
void vrdma_inq_free(struct vrdma_inq *inq);
void vrdma_event_callback(struct virtqueue *vq);
void vrdma_completion_callback(struct virtqueue *vq);
void vrdma_dispatch(struct vrdma_dev *dev, enum ib_event_type type);

/* vrdma_netdev.c */
int vrdma_netdev_pair(struct vrdma_dev *dev);
void vrdma_netdev_unpair(struct vrdma_dev *dev);
void vrdma_netdev_refresh(struct vrdma_dev *dev);
struct net_device *vrdma_get_netdev(struct ib_device *ibdev, u32 port);

/* verbs/device.c */
void vrdma_port_init(struct vrdma_dev *dev);
int vrdma_query_device(struct ib_device *ibdev, struct ib_device_attr *attr,
		       struct ib_udata *udata);
int vrdma_query_port(struct ib_device *ibdev, u32 port, struct ib_port_attr *attr);
int vrdma_query_pkey(struct ib_device *ibdev, u32 port, u16 index, u16 *pkey);
int vrdma_get_port_immutable(struct ib_device *ibdev, u32 port,
			     struct ib_port_immutable *immutable);
enum rdma_link_layer vrdma_get_link_layer(struct ib_device *ibdev, u32 port);
void vrdma_get_dev_fw_str(struct ib_device *ibdev, char *str);
int vrdma_alloc_ucontext(struct ib_ucontext *ibuctx, struct ib_udata *udata);
void vrdma_dealloc_ucontext(struct ib_ucontext *ibuctx);
void vrdma_disassociate_ucontext(struct ib_ucontext *ibuctx);
int vrdma_alloc_pd(struct ib_pd *ibpd, struct ib_udata *udata);
int vrdma_dealloc_pd(struct ib_pd *ibpd, struct ib_udata *udata);

/* vrdma_iwarp.c */
extern const struct ib_device_ops vrdma_iwarp_ops;
extern const struct ib_device_ops vrdma_iw_cm_ops;

/* vrdma_iwcm.c */
struct iw_cm_id;
struct iw_cm_conn_param;
void vrdma_iw_cm_init(struct vrdma_dev *dev);
void vrdma_iw_cm_stop(struct vrdma_dev *dev);
void vrdma_iw_cm_fail(struct vrdma_dev *dev);
int vrdma_iw_destroy_qp(struct ib_qp *ibqp, struct ib_udata *udata);
int vrdma_iw_connect(struct iw_cm_id *cm_id, struct iw_cm_conn_param *param);
int vrdma_iw_accept(struct iw_cm_id *cm_id, struct iw_cm_conn_param *param);
int vrdma_iw_reject(struct iw_cm_id *cm_id, const void *data, u8 length);
int vrdma_iw_create_listen(struct iw_cm_id *cm_id, int backlog);
int vrdma_iw_destroy_listen(struct iw_cm_id *cm_id);
struct ib_qp *vrdma_iw_get_qp(struct ib_device *ibdev, int qpn);
void vrdma_iw_add_ref(struct ib_qp *ibqp);
void vrdma_iw_rem_ref(struct ib_qp *ibqp);

/* vrdma_iw_addr.c */
void vrdma_iw_addresses_init(struct vrdma_dev *dev);
int vrdma_iw_addresses_start(struct vrdma_dev *dev);
void vrdma_iw_addresses_stop(struct vrdma_dev *dev);
void vrdma_iw_sync_addresses(struct vrdma_dev *dev);

/* vrdma_ucm.c */
void vrdma_ucm_fail(struct vrdma_dev *dev);

/* vrdma_ucm_node.c */
int vrdma_ucm_init(struct vrdma_dev *dev);
void vrdma_ucm_free(struct vrdma_dev *dev);
void vrdma_ucm_start(struct vrdma_dev *dev);
void vrdma_ucm_stop(struct vrdma_dev *dev);
int vrdma_ucm_module_init(void);
void vrdma_ucm_module_exit(void);

/* vrdma_gid.c */
int vrdma_gid_cmd(struct vrdma_dev *dev, u16 opcode, u32 index, const void *gid, u32 type,
		  u16 vlan, const u8 *mac);
int vrdma_add_gid(const struct ib_gid_attr *attr, void **context);
int vrdma_del_gid(const struct ib_gid_attr *attr, void **context);

/* vrdma_kqueue.c */
extern const struct ib_device_ops vrdma_kernel_ops;
extern const struct ib_device_ops vrdma_kernel_srq_ops;
void vrdma_kernel_init(struct vrdma_dev *dev);
int vrdma_kernel_start(struct vrdma_dev *dev);
void vrdma_kernel_flush(struct vrdma_dev *dev);
void vrdma_kernel_release(struct vrdma_dev *dev);
void vrdma_kernel_stop(struct vrdma_dev *dev);

/* vrdma_mmap.c */
int vrdma_map(struct vrdma_dev *dev, struct vrdma_mapping *mapping, u64 offset, u32 *caching);
void vrdma_unmap(struct vrdma_dev *dev, const struct vrdma_mapping *mapping);
int vrdma_mmap(struct ib_ucontext *ibuctx, struct vm_area_struct *vma);
void vrdma_mmap_free(struct rdma_user_mmap_entry *rdma_entry);

/* vrdma_mr.c */
struct ib_mr *vrdma_reg_user_mr(struct ib_pd *ibpd, u64 start, u64 length, u64 virt_addr,
				int access, struct ib_udata *udata);
int vrdma_dereg_mr(struct ib_mr *ibmr, struct ib_udata *udata);
struct ib_mr *vrdma_rereg_user_mr(struct ib_mr *ibmr, int flags, u64 start, u64 length,
				  u64 virt_addr, int access, struct ib_pd *ibpd,
				  struct ib_udata *udata);

/* vrdma_mw.c */
int vrdma_alloc_mw(struct ib_mw *ibmw, struct ib_udata *udata);
int vrdma_dealloc_mw(struct ib_mw *ibmw);

/* vrdma_mcast.c */
int vrdma_attach_mcast(struct ib_qp *ibqp, union ib_gid *gid, u16 lid);
int vrdma_detach_mcast(struct ib_qp *ibqp, union ib_gid *gid, u16 lid);

/* vrdma_cq.c */
void vrdma_cq_init(struct vrdma_dev *dev);
int vrdma_cq_acquire(struct vrdma_dev *dev, struct vrdma_cq *cq,
		     const struct ib_cq_init_attr *attr, struct ib_udata *udata, void *answer,
		     u32 answer_len);
int vrdma_cq_show(struct vrdma_dev *dev, struct vrdma_cq *cq);
void vrdma_cq_release(struct vrdma_dev *dev, struct vrdma_cq *cq);
int vrdma_create_cq(struct ib_cq *ibcq, const struct ib_cq_init_attr *attr,
		    struct vrdma_cq_attrs *attrs);
int vrdma_resize_cq(struct ib_cq *ibcq, int cqe, struct ib_udata *udata);
int vrdma_destroy_cq(struct ib_cq *ibcq, struct ib_udata *udata);

/* verbs/cq_arm.c */
void vrdma_cq_arm_polled(struct vrdma_dev *dev, struct vrdma_cq *cq, bool solicited);
int vrdma_req_notify_cq(struct ib_cq *ibcq, enum ib_cq_notify_flags flags);

/* vrdma_srq.c */
void vrdma_srq_init(struct vrdma_dev *dev);
int vrdma_srq_acquire(struct vrdma_dev *dev, struct vrdma_srq *srq,
		      struct ib_srq_init_attr *init_attr, struct ib_udata *udata, void *answer,
		      u32 answer_len);
int vrdma_srq_show(struct vrdma_dev *dev, struct vrdma_srq *srq);
void vrdma_srq_release(struct vrdma_dev *dev, struct vrdma_srq *srq);
int vrdma_create_srq(struct ib_srq *ibsrq, struct ib_srq_init_attr *init_attr,
		     struct ib_udata *udata);
int vrdma_modify_srq(struct ib_srq *ibsrq, struct ib_srq_attr *attr, enum ib_srq_attr_mask mask,
		     struct ib_udata *udata);
int vrdma_query_srq(struct ib_srq *ibsrq, struct ib_srq_attr *attr);
int vrdma_destroy_srq(struct ib_srq *ibsrq, struct ib_udata *udata);

/* vrdma_qp.c */
void vrdma_qp_init(struct vrdma_dev *dev);
int vrdma_qp_acquire(struct vrdma_dev *dev, struct vrdma_qp *qp,
		     struct ib_qp_init_attr *init_attr, struct ib_udata *udata, void *answer,
		     u32 answer_len);
int vrdma_qp_show(struct vrdma_dev *dev, struct vrdma_qp *qp);
void vrdma_qp_fill_cap(struct vrdma_qp *qp, struct ib_qp_init_attr *init_attr);
void vrdma_qp_release(struct vrdma_dev *dev, struct vrdma_qp *qp);
int vrdma_create_qp(struct ib_qp *ibqp, struct ib_qp_init_attr *init_attr, struct ib_udata *udata);
int vrdma_modify_qp(struct ib_qp *ibqp, struct ib_qp_attr *attr, int mask, struct ib_udata *udata);
int vrdma_query_qp(struct ib_qp *ibqp, struct ib_qp_attr *attr, int mask,
		   struct ib_qp_init_attr *init_attr);
int vrdma_destroy_qp(struct ib_qp *ibqp, struct ib_udata *udata);
int vrdma_post_send(struct ib_qp *ibqp, const struct ib_send_wr *wr,
		    const struct ib_send_wr **bad_wr);

/* vrdma_ah.c */
void vrdma_pack_ah_attr(struct vrdma_ah_attr *to, const struct rdma_ah_attr *from);
void vrdma_unpack_ah_attr(struct vrdma_dev *dev, struct rdma_ah_attr *to,
			  const struct vrdma_ah_attr *from);
int vrdma_create_ah(struct ib_ah *ibah, struct rdma_ah_init_attr *init_attr,
		    struct ib_udata *udata);
int vrdma_query_ah(struct ib_ah *ibah, struct rdma_ah_attr *attr);
int vrdma_destroy_ah(struct ib_ah *ibah, u32 flags);

#endif /* VRDMA_H */
