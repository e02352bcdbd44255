// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/commands/capabilities.h"

#include "connectx/fields.h"
#include "connectx/log.h"

// Types of capabilities (enum mlx5_cap_type of <linux/mlx5/device.h>).
enum { kGeneral = 0, kEthernet = 1, kAtomic = 3, kRoce = 4, kFlowTable = 7, kTypes = 64 };

enum { kCapabilityBytes = 4096 };

// Numbers that the driver chooses within what is offered.
static const Field kChosen[] = {
    KNOWN(cmd_hca_cap, log_max_qp),
    KNOWN(cmd_hca_cap, pkey_table_size),
    KNOWN(cmd_hca_cap, log_uar_page_sz),
};

static void general(const Connectx* nic, uint8_t* c) {
#define CAP(field, value) IFC_SET(cmd_hca_cap, c, field, value)
    CAP(log_max_srq_sz, 15);
    CAP(log_max_qp_sz, 15);
    CAP(log_max_qp, 17);
    CAP(log_max_srq, 16);
    CAP(log_max_cq_sz, 22);
    CAP(log_max_cq, 16);
    CAP(log_max_eq_sz, 22);
    CAP(log_max_mkey, 20);
    CAP(log_max_eq, 5);
    CAP(max_num_eqs, 16);
    CAP(log_max_mrw_sz, 32);
    CAP(fixed_buffer_size, 1);
    CAP(log_max_bsf_list_size, 1);
    CAP(log_max_klm_list_size, 16);
    CAP(max_indirection, 4);
    CAP(log_max_ra_req_qp, 4);
    CAP(log_max_ra_res_qp, 4);
    CAP(gid_table_size, 1);   // 16
    CAP(pkey_table_size, 0);  // 128
    CAP(port_type, nic->ethernet ? 1 : 0);
    CAP(num_ports, 1);
    CAP(log_max_msg, kLogMaxMessage);
    CAP(max_tc, 1);
    CAP(stat_rate_support, 0);
    CAP(cqe_version, 1);
    CAP(compact_address_vector, 1);
    CAP(umr_modify_entity_size_disabled, 1);
    CAP(umr_indirect_mkey_disabled, 1);
    CAP(cq_oi, 1);
    CAP(imaicl, 1);
    CAP(cq_resize, 1);
    CAP(cqe_128_always, 1);
    CAP(block_lb_mc, 1);
    CAP(xrc, 1);
    CAP(ud, 1);
    CAP(uc, 1);
    CAP(rc, 1);
    CAP(uar_sz, 5);
    CAP(log_pg_sz, 12);
    CAP(bf, 1);
    CAP(log_bf_reg_size, 9);
    CAP(max_wqe_sz_sq, 1024);
    CAP(max_wqe_sz_rq, 512);
    CAP(max_qp_cnt, 64);
    CAP(out_of_seq_cnt, 1);
    CAP(retransmission_q_counters, 1);
    CAP(max_qp_mcg, 64);
    CAP(log_max_mcg, 10);
    CAP(log_max_transport_domain, 10);
    CAP(log_max_pd, 16);
    CAP(log_max_xrcd, 10);
    CAP(log_max_rq, 12);
    CAP(log_max_sq, 12);
    CAP(log_max_tir, 12);
    CAP(log_max_tis, 12);
    CAP(basic_cyclic_rcv_wqe, 1);
    CAP(log_max_rmp, 14);
    CAP(log_max_rqt, 10);
    CAP(log_max_rqt_size, 8);
    CAP(log_max_stride_sz_rq, 15);
    CAP(log_min_stride_sz_rq, 4);
    CAP(log_max_stride_sz_sq, 15);
    CAP(log_min_stride_sz_sq, 6);
    CAP(log_max_wq_sz, 16);
    CAP(log_max_vlan_list, 4);
    CAP(log_max_current_mc_list, 6);
    CAP(log_max_current_uc_list, 6);
    CAP(device_frequency_khz, 1000000);
    CAP(log_uar_page_sz, 0);
    CAP(num_of_uars_per_page, 1);
    CAP(vhca_id, 1);
    CAP(vport_counters, 1);
    CAP(atomic, 1);
    CAP(ece_support, 1);
    CAP(sctr_data_cqe, 0);
    if (nic->ethernet) {
        CAP(roce, 1);
        CAP(eth_net_offloads, 1);
        CAP(nic_flow_table, 1);
        CAP(cq_moderation, 1);
    } else {
        CAP(ib_virt, 1);
    }
#undef CAP
}

static void ethernet(uint8_t* c) {
#define CAP(field, value) IFC_SET(per_protocol_networking_offload_caps, c, field, value)
    CAP(csum_cap, 1);
    CAP(vlan_cap, 1);
    CAP(max_lso_cap, 16);
    CAP(rss_ind_tbl_cap, 8);
    CAP(wqe_inline_mode, 1);
    CAP(self_lb_en_modifiable, 1);
#undef CAP
}

// mlx5e wants three levels of tables at least.
static void flow_table(uint8_t* c) {
    uint8_t* p = IFC_AT(flow_table_nic_cap, c, flow_table_properties_nic_receive);

#define CAP(field, value) IFC_SET(flow_table_prop_layout, p, field, value)
    CAP(ft_support, 1);
    CAP(flow_modify_en, 1);
    CAP(modify_root, 1);
    CAP(identified_miss_table_mode, 1);
    CAP(flow_table_modify, 1);
    CAP(log_max_ft_size, 20);
    CAP(max_ft_level, 64);
    CAP(log_max_ft_num, 10);
    CAP(log_max_destination, 8);
    CAP(log_max_flow, 16);
#undef CAP
    memset(IFC_AT(flow_table_prop_layout, p, ft_field_support), 0xff, 16);
    memset(IFC_AT(flow_table_prop_layout, p, ft_field_bitmask_support), 0xff, 16);
}

static void atomic(uint8_t* c) {
    enum { kHostOrder = 1, kCompareSwapAndFetchAdd = 3 };

    IFC_SET(atomic_caps, c, atomic_req_8B_endianness_mode, kHostOrder);
    IFC_SET(atomic_caps, c, supported_atomic_req_8B_endianness_mode_1, 1);
    IFC_SET(atomic_caps, c, atomic_operations, kCompareSwapAndFetchAdd);
    IFC_SET(atomic_caps, c, atomic_size_qp, 8);
}

static void roce(uint8_t* c) {
    enum { kIpv4AndIpv6 = 1 << 1 | 1 << 2, kVersion2 = 1 << 2, kUdpPort = 4791 };

    IFC_SET(roce_cap, c, l3_type, kIpv4AndIpv6);
    IFC_SET(roce_cap, c, roce_version, kVersion2);
    IFC_SET(roce_cap, c, r_roce_dest_udp_port, kUdpPort);
    IFC_SET(roce_cap, c, r_roce_max_src_udp_port, 0xffff);
    IFC_SET(roce_cap, c, r_roce_min_src_udp_port, 0xc000);
    IFC_SET(roce_cap, c, roce_address_table_size, kGids);
}

// Writes what the adapter offers of a type.
static void offer(const Connectx* nic, unsigned type, uint8_t* c) {
    switch (type) {
        case kGeneral:
            general(nic, c);
            break;
        case kEthernet:
            ethernet(c);
            break;
        case kAtomic:
            atomic(c);
            break;
        case kRoce:
            roce(c);
            break;
        case kFlowTable:
            flow_table(c);
            break;
        default:
            // All zero: nothing of that kind.
            break;
    }
}

Status capabilities_query(Connectx* nic, Command* command) {
    const unsigned type = command->modifier >> 1;

    log_say(nic, "      capabilities of type %#x, %s", type,
            command->modifier & 1 ? "current" : "maximal");
    if (type >= kTypes) {
        return kBadParameter;
    }
    offer(nic, type, command->out + kHeader);
    return kOk;
}

Status capabilities_set(Connectx* nic, Command* command) {
    const unsigned type = command->modifier >> 1;
    const uint8_t* chosen = IFC_AT(set_hca_cap_in, command->in, capability);
    uint8_t rest[kCapabilityBytes] = {0};

    if (type >= kTypes) {
        return kBadParameter;
    }
    offer(nic, type, rest);
    for (size_t i = 0; i < sizeof(rest); i++) {
        rest[i] = chosen[i] & ~rest[i];
    }
    fields_check(nic, "set_hca_cap_in", rest, sizeof(rest), kChosen,
                 type == kGeneral ? ARRAY_SIZE(kChosen) : 0);
    return kOk;
}

Status capabilities_query_adapter(Connectx* nic, Command* command) {
    static const char name[] = "VRDMA_MODEL";
    uint8_t* block = IFC_AT(query_adapter_out, command->out, query_adapter_struct);

    IFC_SET(query_adapter_param_block, block, ieee_vendor_id, 0x2c9);
    memcpy(IFC_AT(query_adapter_param_block, block, vsd_contd_psid), name, sizeof(name));
    return kOk;
}

// Keys that no object has: the driver compares with them.
Status capabilities_special_contexts(Connectx* nic, Command* command) {
    IFC_SET(query_special_contexts_out, command->out, dump_fill_mkey, 0x200);
    IFC_SET(query_special_contexts_out, command->out, resd_lkey, 0x300);
    IFC_SET(query_special_contexts_out, command->out, null_mkey, 0x400);
    return kOk;
}

Status capabilities_query_issi(Connectx* nic, Command* command) {
    enum { kZeroAndOne = 3 };

    IFC_SET(query_issi_out, command->out, supported_issi_dw0, kZeroAndOne);
    return kOk;
}
