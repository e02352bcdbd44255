// SPDX-License-Identifier: Apache-2.0
#include "rnic/uverbs/kernel/device_attributes.h"

#include <endian.h>

#include <algorithm>

namespace vrdma::uverbs {
namespace {

// What of the kernel's capabilities the guest's driver has verbs for, or the guest's library
// needs none.  Left out: XRC, alternate paths, raw packets, flow steering, checksums of IPoIB.
constexpr uint64_t kForwardedCapabilities =
    IB_UVERBS_DEVICE_BAD_PKEY_CNTR | IB_UVERBS_DEVICE_BAD_QKEY_CNTR |
    IB_UVERBS_DEVICE_CHANGE_PHY_PORT | IB_UVERBS_DEVICE_UD_AV_PORT_ENFORCE |
    IB_UVERBS_DEVICE_CURR_QP_STATE_MOD | IB_UVERBS_DEVICE_PORT_ACTIVE_EVENT |
    IB_UVERBS_DEVICE_SYS_IMAGE_GUID | IB_UVERBS_DEVICE_RC_RNR_NAK_GEN |
    IB_UVERBS_DEVICE_SRQ_RESIZE | IB_UVERBS_DEVICE_N_NOTIFY_CQ |
    IB_UVERBS_DEVICE_MEM_MGT_EXTENSIONS;

constexpr uint64_t kMemoryWindowCapabilities = IB_UVERBS_DEVICE_MEM_WINDOW |
                                               IB_UVERBS_DEVICE_MEM_WINDOW_TYPE_2A |
                                               IB_UVERBS_DEVICE_MEM_WINDOW_TYPE_2B;

ib_uverbs_qp_dest destination(const rnic::AhAttributes& ah) {
    ib_uverbs_qp_dest dest{};
    std::ranges::copy(ah.dgid, dest.dgid);
    dest.flow_label = ah.flow_label;
    dest.sgid_index = ah.sgid_index;
    dest.hop_limit = ah.hop_limit;
    dest.traffic_class = ah.traffic_class;
    dest.sl = ah.sl;
    dest.static_rate = ah.static_rate;
    dest.is_global = 1;  // RoCE has no other (IBTA 1.4, annex A16)
    dest.port_num = ah.port;
    return dest;
}

}  // namespace

rnic::DeviceAttributes device_attributes(const ib_uverbs_query_device_resp& kernel,
                                         const SupportedVerbs& verbs) {
    const uint64_t forwarded =
        kForwardedCapabilities | (verbs.alloc_mw ? kMemoryWindowCapabilities : 0);
    return {
        .fw_ver = kernel.fw_ver,
        .node_guid = be64toh(kernel.node_guid),
        .sys_image_guid = be64toh(kernel.sys_image_guid),
        .max_mr_size = kernel.max_mr_size,
        .page_size_cap = kernel.page_size_cap,
        .device_cap_flags = kernel.device_cap_flags & forwarded,
        .vendor_id = kernel.vendor_id,
        .vendor_part_id = kernel.vendor_part_id,
        .hw_ver = kernel.hw_ver,
        .max_qp = kernel.max_qp,
        .max_qp_wr = kernel.max_qp_wr,
        .max_send_sge = kernel.max_sge,
        .max_recv_sge = kernel.max_sge,
        .max_sge_rd = kernel.max_sge_rd,
        .max_cq = kernel.max_cq,
        .max_cqe = kernel.max_cqe,
        .max_mr = kernel.max_mr,
        .max_pd = kernel.max_pd,
        .max_qp_rd_atom = kernel.max_qp_rd_atom,
        .max_res_rd_atom = kernel.max_res_rd_atom,
        .max_qp_init_rd_atom = kernel.max_qp_init_rd_atom,
        .atomic_cap = kernel.atomic_cap,
        .max_mw = verbs.alloc_mw ? kernel.max_mw : 0,
        .max_mcast_grp = verbs.attach_mcast ? kernel.max_mcast_grp : 0,
        .max_mcast_qp_attach = verbs.attach_mcast ? kernel.max_mcast_qp_attach : 0,
        .max_ah = kernel.max_ah,
        .max_srq = kernel.max_srq,
        .max_srq_wr = kernel.max_srq_wr,
        .max_srq_sge = kernel.max_srq_sge,
        .max_pkeys = kernel.max_pkeys,
        .local_ca_ack_delay = kernel.local_ca_ack_delay,
        .has_srq = kernel.max_srq != 0,
        .has_mw = verbs.alloc_mw,
        .has_rereg_mr = verbs.rereg_mr,
        .has_resize_cq = verbs.resize_cq,
        .has_mcast = verbs.attach_mcast,
    };
}

rnic::PortAttributes port_attributes(const ib_uverbs_query_port_resp& kernel) {
    return {
        .state = kernel.state,
        .max_mtu = kernel.max_mtu,
        .active_mtu = kernel.active_mtu,
        .port_cap_flags = kernel.port_cap_flags,
        .max_msg_sz = kernel.max_msg_sz,
        .pkey_tbl_len = kernel.pkey_tbl_len,
        .active_width = kernel.active_width,
        .phys_state = kernel.phys_state,
        .active_speed = kernel.active_speed,
    };
}

ib_uverbs_modify_qp modify_qp(uint32_t qp_handle, uint32_t attr_mask,
                              const rnic::QpAttributes& attributes, const rnic::AhAttributes& ah,
                              uint8_t host_port) {
    ib_uverbs_modify_qp command{};
    command.dest = destination(ah);
    command.qp_handle = qp_handle;
    command.attr_mask = attr_mask;
    command.qkey = attributes.qkey;
    command.rq_psn = attributes.rq_psn;
    command.sq_psn = attributes.sq_psn;
    command.dest_qp_num = attributes.dest_qp_num;
    command.qp_access_flags = attributes.qp_access_flags;
    command.pkey_index = attributes.pkey_index;
    command.qp_state = attributes.qp_state;
    command.cur_qp_state = attributes.cur_qp_state;
    command.path_mtu = attributes.path_mtu;
    command.path_mig_state = attributes.path_mig_state;
    command.en_sqd_async_notify = attributes.en_sqd_async_notify;
    command.max_rd_atomic = attributes.max_rd_atomic;
    command.max_dest_rd_atomic = attributes.max_dest_rd_atomic;
    command.min_rnr_timer = attributes.min_rnr_timer;
    command.port_num = host_port;
    command.timeout = attributes.timeout;
    command.retry_cnt = attributes.retry_cnt;
    command.rnr_retry = attributes.rnr_retry;
    return command;
}

rnic::QpAttributes qp_attributes(const ib_uverbs_query_qp_resp& kernel) {
    return {
        .qp_state = kernel.qp_state,
        .cur_qp_state = kernel.cur_qp_state,
        .path_mtu = kernel.path_mtu,
        .path_mig_state = kernel.path_mig_state,
        .qkey = kernel.qkey,
        .rq_psn = kernel.rq_psn,
        .sq_psn = kernel.sq_psn,
        .dest_qp_num = kernel.dest_qp_num,
        .qp_access_flags = kernel.qp_access_flags,
        .pkey_index = kernel.pkey_index,
        .sq_draining = kernel.sq_draining,
        .max_rd_atomic = kernel.max_rd_atomic,
        .max_dest_rd_atomic = kernel.max_dest_rd_atomic,
        .min_rnr_timer = kernel.min_rnr_timer,
        .timeout = kernel.timeout,
        .retry_cnt = kernel.retry_cnt,
        .rnr_retry = kernel.rnr_retry,
        .ah = {},
        .cap =
            {
                .max_send_wr = kernel.max_send_wr,
                .max_recv_wr = kernel.max_recv_wr,
                .max_send_sge = kernel.max_send_sge,
                .max_recv_sge = kernel.max_recv_sge,
                .max_inline_data = kernel.max_inline_data,
            },
    };
}

ib_uverbs_ah_attr ah_attributes(const rnic::AhAttributes& ah) {
    ib_uverbs_ah_attr attr{};
    std::ranges::copy(ah.dgid, attr.grh.dgid);
    attr.grh.flow_label = ah.flow_label;
    attr.grh.sgid_index = ah.sgid_index;
    attr.grh.hop_limit = ah.hop_limit;
    attr.grh.traffic_class = ah.traffic_class;
    attr.sl = ah.sl;
    attr.static_rate = ah.static_rate;
    attr.is_global = 1;  // RoCE has no other (IBTA 1.4, annex A16)
    attr.port_num = ah.port;
    return attr;
}

}  // namespace vrdma::uverbs
