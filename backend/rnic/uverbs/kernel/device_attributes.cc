// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/kernel/device_attributes.h"
#include "rnic/verbs_abi.h"

#include <endian.h>
#include <infiniband/verbs.h>

namespace vrdma::uverbs {
namespace {

// The kernel's capabilities for which the guest's driver has verbs, or the guest's library needs
// none.  Left out: alternate paths, raw packets, flow steering, checksums of IPoIB.
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

// The kernel numbers objects from 0 upwards, and a context without objects has none anyway.
constexpr uint32_t kNoObject = 0xffffffff;

// The kernel answers EOPNOTSUPP before it looks at the request (uapi_finalize_disable).
bool has_verb(const Result<void>& executed) {
    return executed || executed.error() != Errno{EOPNOTSUPP};
}

}  // namespace

SupportedVerbs find_supported_verbs(UverbsFile& file) {
    ib_uverbs_rereg_mr rereg{};
    rereg.mr_handle = kNoObject;
    rereg.pd_handle = kNoObject;
    rereg.flags = rnic::kReregPd;
    ib_uverbs_rereg_mr_resp rereg_answer{};

    ib_uverbs_alloc_mw window{};
    window.pd_handle = kNoObject;
    window.mw_type = IBV_MW_TYPE_1;
    ib_uverbs_alloc_mw_resp window_answer{};

    ib_uverbs_resize_cq resize{};
    resize.cq_handle = kNoObject;
    resize.cqe = 1;
    ib_uverbs_resize_cq_resp resize_answer{};

    ib_uverbs_attach_mcast attach{};
    attach.qp_handle = kNoObject;

    return {
        .rereg_mr = has_verb(execute(file, {IB_USER_VERBS_CMD_REREG_MR, rereg, rereg_answer})),
        .alloc_mw = has_verb(execute(file, {IB_USER_VERBS_CMD_ALLOC_MW, window, window_answer})),
        .resize_cq = has_verb(execute(file, {IB_USER_VERBS_CMD_RESIZE_CQ, resize, resize_answer})),
        .attach_mcast = has_verb(execute(file, {IB_USER_VERBS_CMD_ATTACH_MCAST, attach})),
    };
}

Result<rnic::DeviceAttributes> query_device(UverbsFile& file, const SupportedVerbs& verbs) {
    ib_uverbs_query_device_resp kernel{};
    auto queried =
        execute(file, {IB_USER_VERBS_CMD_QUERY_DEVICE, ib_uverbs_query_device{}, kernel});
    if (!queried) {
        return fail(queried.error());
    }
    const uint64_t forwarded = kForwardedCapabilities |
                               (verbs.alloc_mw ? kMemoryWindowCapabilities : 0) |
                               (verbs.xrc ? uint64_t{IB_UVERBS_DEVICE_XRC} : 0);
    return rnic::DeviceAttributes{
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
        .has_xrc = verbs.xrc && (kernel.device_cap_flags & IB_UVERBS_DEVICE_XRC) != 0,
    };
}

Result<void> query_device_udata(UverbsFile& file, std::span<std::byte> out) {
    ib_uverbs_ex_query_device_resp kernel{};
    return execute(file,
                   UverbsCommand::extended(IB_USER_VERBS_EX_CMD_QUERY_DEVICE,
                                           ib_uverbs_ex_query_device{}, kernel),
                   {.in = {}, .out = out});
}

Result<ib_uverbs_query_port_resp> query_port(UverbsFile& file, uint32_t port) {
    ib_uverbs_query_port request{};
    request.port_num = static_cast<uint8_t>(port);
    ib_uverbs_query_port_resp kernel{};
    auto queried = execute(file, {IB_USER_VERBS_CMD_QUERY_PORT, request, kernel});
    if (!queried) {
        return fail(queried.error());
    }
    return kernel;
}

rnic::PortAttributes port_attributes(const ib_uverbs_query_port_resp& kernel) {
    return {
        .state = kernel.state,
        .max_mtu = kernel.max_mtu,
        .active_mtu = kernel.active_mtu,
        .gid_tbl_len = static_cast<uint32_t>(kernel.gid_tbl_len),
        .port_cap_flags = kernel.port_cap_flags,
        .max_msg_sz = kernel.max_msg_sz,
        .pkey_tbl_len = kernel.pkey_tbl_len,
        .active_width = kernel.active_width,
        .phys_state = kernel.phys_state,
        .active_speed = kernel.active_speed,
        .lid = kernel.lid,
        .sm_lid = kernel.sm_lid,
        .lmc = kernel.lmc,
        .sm_sl = kernel.sm_sl,
        .subnet_timeout = kernel.subnet_timeout,
        .init_type_reply = kernel.init_type_reply,
        .max_vl_num = kernel.max_vl_num,
    };
}

}  // namespace vrdma::uverbs
