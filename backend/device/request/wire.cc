// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "device/request/wire.h"

#include <endian.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <span>

namespace vrdma::device {

rnic::QpCapabilities from_wire(const vrdma_qp_cap& wire) {
    return {
        .max_send_wr = le32toh(wire.max_send_wr),
        .max_recv_wr = le32toh(wire.max_recv_wr),
        .max_send_sge = le32toh(wire.max_send_sge),
        .max_recv_sge = le32toh(wire.max_recv_sge),
        .max_inline_data = le32toh(wire.max_inline_data),
    };
}

vrdma_qp_cap to_wire(const rnic::QpCapabilities& cap) {
    return {
        .max_send_wr = htole32(cap.max_send_wr),
        .max_recv_wr = htole32(cap.max_recv_wr),
        .max_send_sge = htole32(cap.max_send_sge),
        .max_recv_sge = htole32(cap.max_recv_sge),
        .max_inline_data = htole32(cap.max_inline_data),
        .reserved = 0,
    };
}

rnic::AhAttributes from_wire(const vrdma_ah_attr& wire) {
    rnic::AhAttributes attributes{
        .flow_label = le32toh(wire.flow_label),
        .sgid_index = wire.sgid_index,
        .hop_limit = wire.hop_limit,
        .traffic_class = wire.traffic_class,
        .sl = wire.sl,
        .port = wire.port,
        .static_rate = wire.static_rate,
        .dlid = le16toh(wire.dlid),
        .src_path_bits = wire.src_path_bits,
        .has_grh = (wire.flags & VRDMA_AH_GRH) != 0,
    };
    std::ranges::copy(wire.dgid, attributes.dgid.begin());
    std::ranges::copy(wire.dmac, attributes.dmac.begin());
    return attributes;
}

vrdma_ah_attr to_wire(const rnic::AhAttributes& attributes) {
    vrdma_ah_attr wire{};
    std::ranges::copy(attributes.dgid, std::begin(wire.dgid));
    wire.flow_label = htole32(attributes.flow_label);
    wire.sgid_index = attributes.sgid_index;
    wire.hop_limit = attributes.hop_limit;
    wire.traffic_class = attributes.traffic_class;
    wire.sl = attributes.sl;
    wire.port = attributes.port;
    wire.static_rate = attributes.static_rate;
    std::ranges::copy(attributes.dmac, std::begin(wire.dmac));
    wire.dlid = htole16(attributes.dlid);
    wire.src_path_bits = attributes.src_path_bits;
    wire.flags = attributes.has_grh ? VRDMA_AH_GRH : 0;
    return wire;
}

rnic::QpAttributes from_wire(const vrdma_qp_attr& wire) {
    return {
        .qp_state = wire.qp_state,
        .cur_qp_state = wire.cur_qp_state,
        .path_mtu = wire.path_mtu,
        .path_mig_state = wire.path_mig_state,
        .qkey = le32toh(wire.qkey),
        .rq_psn = le32toh(wire.rq_psn),
        .sq_psn = le32toh(wire.sq_psn),
        .dest_qp_num = le32toh(wire.dest_qp_num),
        .qp_access_flags = le32toh(wire.qp_access_flags),
        .pkey_index = le16toh(wire.pkey_index),
        .en_sqd_async_notify = wire.en_sqd_async_notify,
        .sq_draining = wire.sq_draining,
        .max_rd_atomic = wire.max_rd_atomic,
        .max_dest_rd_atomic = wire.max_dest_rd_atomic,
        .min_rnr_timer = wire.min_rnr_timer,
        .port = wire.port,
        .timeout = wire.timeout,
        .retry_cnt = wire.retry_cnt,
        .rnr_retry = wire.rnr_retry,
        .rate_limit = le32toh(wire.rate_limit),
        .ah = from_wire(wire.ah),
        .cap = from_wire(wire.cap),
    };
}

vrdma_qp_attr to_wire(const rnic::QpAttributes& attributes) {
    return {
        .qp_state = attributes.qp_state,
        .cur_qp_state = attributes.cur_qp_state,
        .path_mtu = attributes.path_mtu,
        .path_mig_state = attributes.path_mig_state,
        .qkey = htole32(attributes.qkey),
        .rq_psn = htole32(attributes.rq_psn),
        .sq_psn = htole32(attributes.sq_psn),
        .dest_qp_num = htole32(attributes.dest_qp_num),
        .qp_access_flags = htole32(attributes.qp_access_flags),
        .pkey_index = htole16(attributes.pkey_index),
        .en_sqd_async_notify = attributes.en_sqd_async_notify,
        .sq_draining = attributes.sq_draining,
        .max_rd_atomic = attributes.max_rd_atomic,
        .max_dest_rd_atomic = attributes.max_dest_rd_atomic,
        .min_rnr_timer = attributes.min_rnr_timer,
        .port = attributes.port,
        .timeout = attributes.timeout,
        .retry_cnt = attributes.retry_cnt,
        .rnr_retry = attributes.rnr_retry,
        .reserved = 0,
        .rate_limit = htole32(attributes.rate_limit),
        .reserved2 = 0,
        .ah = to_wire(attributes.ah),
        .cap = to_wire(attributes.cap),
    };
}

void to_wire(const rnic::DeviceAttributes& attributes, vrdma_rsp_query_device& wire) {
    wire.fw_ver = htole64(attributes.fw_ver);
    wire.sys_image_guid = htobe64(attributes.sys_image_guid);
    wire.max_mr_size = htole64(attributes.max_mr_size);
    wire.page_size_cap = htole64(attributes.page_size_cap);
    wire.device_cap_flags = htole64(attributes.device_cap_flags);
    wire.vendor_id = htole32(attributes.vendor_id);
    wire.vendor_part_id = htole32(attributes.vendor_part_id);
    wire.hw_ver = htole32(attributes.hw_ver);
    wire.max_qp = htole32(attributes.max_qp);
    wire.max_qp_wr = htole32(attributes.max_qp_wr);
    wire.max_send_sge = htole32(attributes.max_send_sge);
    wire.max_recv_sge = htole32(attributes.max_recv_sge);
    wire.max_sge_rd = htole32(attributes.max_sge_rd);
    wire.max_cq = htole32(attributes.max_cq);
    wire.max_cqe = htole32(attributes.max_cqe);
    wire.max_mr = htole32(attributes.max_mr);
    wire.max_pd = htole32(attributes.max_pd);
    wire.max_qp_rd_atom = htole32(attributes.max_qp_rd_atom);
    wire.max_res_rd_atom = htole32(attributes.max_res_rd_atom);
    wire.max_qp_init_rd_atom = htole32(attributes.max_qp_init_rd_atom);
    wire.atomic_cap = htole32(attributes.atomic_cap);
    wire.max_mw = htole32(attributes.max_mw);
    wire.max_mcast_grp = htole32(attributes.max_mcast_grp);
    wire.max_mcast_qp_attach = htole32(attributes.max_mcast_qp_attach);
    wire.max_ah = htole32(attributes.max_ah);
    wire.max_srq = htole32(attributes.max_srq);
    wire.max_srq_wr = htole32(attributes.max_srq_wr);
    wire.max_srq_sge = htole32(attributes.max_srq_sge);
    wire.max_pkeys = htole16(attributes.max_pkeys);
    wire.local_ca_ack_delay = attributes.local_ca_ack_delay;
    wire.max_inline_data = htole32(attributes.max_inline_data);
    wire.max_fast_reg_pages = htole32(attributes.max_fast_reg_pages);
}

void to_wire(const rnic::PortAttributes& attributes, vrdma_rsp_query_port& wire) {
    wire.state = htole32(attributes.state);
    wire.max_mtu = htole32(attributes.max_mtu);
    wire.active_mtu = htole32(attributes.active_mtu);
    wire.gid_tbl_len = htole32(attributes.gid_tbl_len);
    wire.port_cap_flags = htole32(attributes.port_cap_flags);
    wire.max_msg_sz = htole32(attributes.max_msg_sz);
    wire.pkey_tbl_len = htole16(attributes.pkey_tbl_len);
    wire.active_width = attributes.active_width;
    wire.phys_state = attributes.phys_state;
    wire.active_speed = htole16(attributes.active_speed);
}

rnic::Endpoint from_wire(const vrdma_iw_address& wire) {
    rnic::Endpoint endpoint{.ip = {}, .port = be16toh(wire.port)};
    std::ranges::copy(wire.ip, endpoint.ip.begin());
    return endpoint;
}

vrdma_iw_address to_wire(const rnic::Endpoint& endpoint) {
    vrdma_iw_address wire{};
    std::ranges::copy(endpoint.ip, std::begin(wire.ip));
    wire.port = htobe16(endpoint.port);
    return wire;
}

rnic::IwCmParameters from_wire(const vrdma_iw_param& wire) {
    const auto data = std::as_bytes(std::span(wire.private_data));
    return {.ird = le16toh(wire.ird),
            .ord = le16toh(wire.ord),
            .private_data = {data.begin(), data.begin() + le16toh(wire.private_data_len)}};
}

vrdma_iw_param to_wire(const rnic::IwCmParameters& parameters) {
    const auto& data = parameters.private_data;
    const size_t length = std::min<size_t>(data.size(), VRDMA_IW_MAX_PRIVATE_DATA);
    vrdma_iw_param wire{};
    wire.ird = htole16(parameters.ird);
    wire.ord = htole16(parameters.ord);
    wire.private_data_len = htole16(static_cast<uint16_t>(length));
    std::memcpy(wire.private_data, data.data(), length);
    return wire;
}

namespace {

uint32_t type_of(const rnic::IwCmEvent& event) {
    switch (event.type) {
        case rnic::IwCmEvent::Type::kRequest:
            return VRDMA_IW_EVENT_CONNECT_REQUEST;
        case rnic::IwCmEvent::Type::kReply:
            return VRDMA_IW_EVENT_CONNECT_REPLY;
        case rnic::IwCmEvent::Type::kEstablished:
            return VRDMA_IW_EVENT_ESTABLISHED;
        case rnic::IwCmEvent::Type::kClosed:
            return VRDMA_IW_EVENT_CLOSED;
    }
    return VRDMA_IW_EVENT_NONE;
}

}  // namespace

void to_wire(const rnic::IwCmEvent& event, vrdma_rsp_iw_event& wire) {
    wire.type = htole32(type_of(event));
    wire.id = htole32(event.id);
    wire.request = htole32(event.request);
    wire.status = htole32(static_cast<uint32_t>(to_int(event.status)));
    wire.local = to_wire(event.local);
    wire.remote = to_wire(event.remote);
    wire.param = to_wire(event.parameters);
}

}  // namespace vrdma::device
