// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: what the port has counted, as statistics and as the port's counters. */
#include <rdma/ib_mad.h>
#include <rdma/ib_pma.h>

#include "core/cmd.h"
#include "core/cmdq.h"
#include "core/compat.h"
#include "core/dev.h"
#include "verbs/counters.h"
#include "verbs/device.h"

/* In the order of enum vrdma_counter, which is made of the same list. */
#ifdef VRDMA_KERNEL_HAS_STAT_DESC
static const struct rdma_stat_desc vrdma_counters[] = {
#define VRDMA_ROW(NAME, counter)	{ .name = #counter },
	VRDMA_COUNTERS(VRDMA_ROW)
#undef VRDMA_ROW
};
#else
static const char * const vrdma_counters[] = {
#define VRDMA_ROW(NAME, counter)	#counter,
	VRDMA_COUNTERS(VRDMA_ROW)
#undef VRDMA_ROW
};
#endif

/* Asks the device for @count values. */
static int vrdma_query_counters(struct vrdma_dev *dev, u32 port, u64 *values, unsigned int count)
{
	struct vrdma_rsp_query_counters *rsp;
	struct vrdma_cmd *cmd;
	unsigned int i;

	cmd = vrdma_ask_port(dev, VRDMA_CMD_QUERY_COUNTERS, port, sizeof(*rsp));
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	rsp = cmd->rsp;
	for (i = 0; i < count; i++)
		values[i] = le64_to_cpu(rsp->value[i]);
	vrdma_cmd_put(cmd);
	return 0;
}

static struct rdma_hw_stats *vrdma_alloc_hw_port_stats(struct ib_device *ibdev, u32 port)
{
	BUILD_BUG_ON(ARRAY_SIZE(vrdma_counters) != VRDMA_COUNTER_COUNT);

	return rdma_alloc_hw_stats_struct(vrdma_counters, ARRAY_SIZE(vrdma_counters),
					  RDMA_HW_STATS_DEFAULT_LIFESPAN);
}

static int vrdma_get_hw_stats(struct ib_device *ibdev, struct rdma_hw_stats *stats, u32 port,
			      int index)
{
	int err;

	if (!port)
		return -EINVAL;

	err = vrdma_query_counters(to_vrdma_dev(ibdev), port, stats->value, VRDMA_COUNTER_COUNT);
	return err ? err : VRDMA_COUNTER_COUNT;
}

/* The data of a port is counted in words of 4 bytes (IBTA 1.4, 16.1.4.3). */
static int vrdma_fill_port_counters(struct vrdma_dev *dev, u32 port,
				    struct ib_pma_portcounters_ext *to)
{
	u64 values[VRDMA_COUNTER_COUNT];
	int err;

	err = vrdma_query_counters(dev, port, values, ARRAY_SIZE(values));
	if (err)
		return IB_MAD_RESULT_FAILURE;

	to->port_xmit_data = cpu_to_be64(values[VRDMA_COUNTER_SENT_BYTES] >> 2);
	to->port_rcv_data = cpu_to_be64(values[VRDMA_COUNTER_RCVD_BYTES] >> 2);
	to->port_xmit_packets = cpu_to_be64(values[VRDMA_COUNTER_SENT_PKTS]);
	to->port_rcv_packets = cpu_to_be64(values[VRDMA_COUNTER_RCVD_PKTS]);
	to->port_unicast_xmit_packets = to->port_xmit_packets;
	to->port_unicast_rcv_packets = to->port_rcv_packets;
	return IB_MAD_RESULT_SUCCESS | IB_MAD_RESULT_REPLY;
}

/*
 * The core asks this way what sysfs has in a port's folder "counters".  A MAD that came over the
 * wire has a completion, and is left to the core: other machines are not told.
 */
static int vrdma_process_mad(struct ib_device *ibdev, int flags, u32 port,
			     const struct ib_wc *wc, const struct ib_grh *grh,
			     const struct ib_mad *in, struct ib_mad *out, size_t *out_size,
			     u16 *out_pkey_index)
{
	struct ib_pma_mad *answer = (struct ib_pma_mad *)out;
	struct ib_class_port_info *info;

	if (wc || in->mad_hdr.mgmt_class != IB_MGMT_CLASS_PERF_MGMT ||
	    in->mad_hdr.method != IB_MGMT_METHOD_GET)
		return IB_MAD_RESULT_SUCCESS;

	memset(out, 0, sizeof(*out));
	switch (in->mad_hdr.attr_id) {
	case IB_PMA_CLASS_PORT_INFO:
		info = (struct ib_class_port_info *)answer->data;
		info->capability_mask = IB_PMA_CLASS_CAP_EXT_WIDTH;
		return IB_MAD_RESULT_SUCCESS | IB_MAD_RESULT_REPLY;
	case IB_PMA_PORT_COUNTERS:
		/* The device has none of the errors of cables and of virtual lanes. */
		return IB_MAD_RESULT_SUCCESS | IB_MAD_RESULT_REPLY;
	case IB_PMA_PORT_COUNTERS_EXT:
		return vrdma_fill_port_counters(to_vrdma_dev(ibdev), port,
						(struct ib_pma_portcounters_ext *)answer->data);
	default:
		return IB_MAD_RESULT_SUCCESS;
	}
}

static const struct ib_device_ops vrdma_counters_ops = {
	.alloc_hw_port_stats = vrdma_alloc_hw_port_stats,
	.get_hw_stats = vrdma_get_hw_stats,
	.process_mad = vrdma_process_mad,
};

void vrdma_counters_set_ops(struct vrdma_dev *dev)
{
	if (virtio_has_feature(dev->vdev, VRDMA_F_COUNTERS))
		ib_set_device_ops(&dev->ibdev, &vrdma_counters_ops);
}
