// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "endpoint.h"

#include <errno.h>
#include <string.h>

#include "tool.h"

enum { kMaxGids = 256, kPsn = 0x1000, kHopLimit = 64 };

static struct ibv_context* open_named(const char* name) {
    int count = 0;
    struct ibv_device** list = ibv_get_device_list(&count);
    if (list == NULL) fail_errno("cannot list RDMA devices (has this kernel any RDMA driver?)");
    if (count == 0) fail("there is no RDMA device (with a provider of libibverbs) here");
    struct ibv_device* chosen = name == NULL ? list[0] : NULL;
    for (int i = 0; i < count && chosen == NULL; ++i) {
        if (strcmp(ibv_get_device_name(list[i]), name) == 0) chosen = list[i];
    }
    if (chosen == NULL) fail("there is no RDMA device '%s': ibv_devices lists them", name);
    struct ibv_context* context = ibv_open_device(chosen);
    if (context == NULL) fail_errno("cannot open %s", ibv_get_device_name(chosen));
    ibv_free_device_list(list);
    return context;
}

// Rates a GID as the choice when the user asked for none.  An IPv4 address rates highest: it is
// not link-local, so it is usable as soon as it is there.
static int worth(const struct ibv_gid_entry* entry) {
    static const unsigned char kIpv4Prefix[12] = {[10] = 0xff, [11] = 0xff};
    if (entry->gid_type != IBV_GID_TYPE_ROCE_V2) return 1;
    return memcmp(entry->gid.raw, kIpv4Prefix, sizeof kIpv4Prefix) == 0 ? 3 : 2;
}

static int find_gid(const struct RdmaDevice* device) {
    struct ibv_gid_entry entries[kMaxGids];
    const ssize_t count = ibv_query_gid_table(device->context, entries, kMaxGids, 0);
    int best = kAnyGid;
    int best_worth = 0;
    for (ssize_t i = 0; i < count; ++i) {
        if (entries[i].port_num != device->port || worth(&entries[i]) <= best_worth) continue;
        best = (int)entries[i].gid_index;
        best_worth = worth(&entries[i]);
    }
    if (best == kAnyGid) {
        fail("port %u of %s has no GID: has its network device an address?", device->port,
             ibv_get_device_name(device->context->device));
    }
    return best;
}

struct RdmaDevice open_device(const struct DeviceChoice* choice) {
    struct RdmaDevice device = {.context = open_named(choice->name), .port = choice->port};
    const char* name = ibv_get_device_name(device.context->device);
    if (ibv_query_port(device.context, device.port, &device.attributes) != 0) {
        fail_errno("%s has no port %u", name, device.port);
    }
    if (device.attributes.state != IBV_PORT_ACTIVE) {
        fail("port %u of %s is not active but %s", device.port, name,
             ibv_port_state_str(device.attributes.state));
    }
    device.gid_index = choice->gid_index == kAnyGid ? find_gid(&device) : choice->gid_index;
    if (ibv_query_gid(device.context, device.port, device.gid_index, &device.gid) != 0) {
        fail_errno("%s has no GID of index %d", name, device.gid_index);
    }
    return device;
}

void close_device(struct RdmaDevice* device) {
    if (ibv_close_device(device->context) != 0) fail_errno("cannot close the device");
    device->context = NULL;
}

uint32_t mtu_bytes(const struct RdmaDevice* device) {
    // enum ibv_mtu counts from 256 bytes, doubling.
    return UINT32_C(128) << device->attributes.active_mtu;
}

struct ibv_ah_attr loopback_ah(const struct RdmaDevice* device) {
    return (struct ibv_ah_attr){
        .is_global = 1,
        .dlid = device->attributes.lid,
        .port_num = device->port,
        .grh = {.dgid = device->gid,
                .sgid_index = (uint8_t)device->gid_index,
                .hop_limit = kHopLimit},
    };
}

static int to_init(const struct RdmaDevice* device, struct ibv_qp* qp) {
    struct ibv_qp_attr attr = {
        .qp_state = IBV_QPS_INIT,
        .port_num = device->port,
        .qp_access_flags =
            IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_WRITE,
        .qkey = kUdQkey,
    };
    // An unreliable connection has no atomic operations to allow.
    if (qp->qp_type == IBV_QPT_RC) attr.qp_access_flags |= IBV_ACCESS_REMOTE_ATOMIC;
    const int kind = qp->qp_type == IBV_QPT_UD ? IBV_QP_QKEY : IBV_QP_ACCESS_FLAGS;
    return ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | kind);
}

static int to_rtr(const struct RdmaDevice* device, struct ibv_qp* qp, uint32_t peer_number) {
    struct ibv_qp_attr attr = {
        .qp_state = IBV_QPS_RTR,
        .path_mtu = device->attributes.active_mtu,
        .dest_qp_num = peer_number,
        .rq_psn = kPsn,
        .max_dest_rd_atomic = 1,
        .min_rnr_timer = 12,
        .ah_attr = loopback_ah(device),
    };
    int mask = IBV_QP_STATE;
    if (qp->qp_type != IBV_QPT_UD)
        mask |= IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN;
    if (qp->qp_type == IBV_QPT_RC || qp->qp_type == IBV_QPT_XRC_RECV) {
        mask |= IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER;
    }
    return ibv_modify_qp(qp, &attr, mask);
}

static int to_rts(struct ibv_qp* qp) {
    struct ibv_qp_attr attr = {
        .qp_state = IBV_QPS_RTS,
        .sq_psn = kPsn,
        .timeout = 14,
        .retry_cnt = 7,
        .rnr_retry = 7,
        .max_rd_atomic = 1,
    };
    int mask = IBV_QP_STATE | IBV_QP_SQ_PSN;
    if (qp->qp_type == IBV_QPT_RC || qp->qp_type == IBV_QPT_XRC_SEND) {
        mask |= IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY | IBV_QP_MAX_QP_RD_ATOMIC;
    }
    if (qp->qp_type == IBV_QPT_XRC_RECV) mask |= IBV_QP_TIMEOUT;
    return ibv_modify_qp(qp, &attr, mask);
}

int connect_queue_pair(const struct RdmaDevice* device, struct ibv_qp* qp, uint32_t peer_number) {
    int error = to_init(device, qp);
    if (error == 0) error = to_rtr(device, qp, peer_number);
    if (error == 0) error = to_rts(qp);
    return error;
}
