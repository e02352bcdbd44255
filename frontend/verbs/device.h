/* SPDX-License-Identifier: GPL-2.0 */
/* vrdma guest driver: attributes of the device and of its port. */
#ifndef VRDMA_VERBS_DEVICE_H
#define VRDMA_VERBS_DEVICE_H

#include <rdma/ib_verbs.h>

struct vrdma_dev;

void vrdma_port_init(struct vrdma_dev *dev);
int vrdma_query_device(struct ib_device *ibdev, struct ib_device_attr *attr,
		       struct ib_udata *udata);
int vrdma_query_port(struct ib_device *ibdev, u32 port, struct ib_port_attr *attr);
int vrdma_query_pkey(struct ib_device *ibdev, u32 port, u16 index, u16 *pkey);
int vrdma_get_port_immutable(struct ib_device *ibdev, u32 port,
			     struct ib_port_immutable *immutable);
enum rdma_link_layer vrdma_get_link_layer(struct ib_device *ibdev, u32 port);
void vrdma_get_dev_fw_str(struct ib_device *ibdev, char *str);

#endif /* VRDMA_VERBS_DEVICE_H */
