// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/commands/table.h"

#include "connectx/commands/capabilities.h"
#include "connectx/ethernet/receive_queue.h"
#include "connectx/ethernet/receivers.h"
#include "connectx/ethernet/send_queue.h"
#include "connectx/ethernet/steering.h"
#include "connectx/objects/cq.h"
#include "connectx/objects/eq.h"
#include "connectx/objects/mkey.h"
#include "connectx/objects/others.h"
#include "connectx/objects/pd.h"
#include "connectx/objects/srq.h"
#include "connectx/objects/uar.h"
#include "connectx/port.h"
#include "connectx/queue_pairs/queue_pairs.h"
#include "connectx/transport/transport.h"

// An answer without content says that there is nothing: no pages are wanted, all counters are 0.
static Status accept_silently(Connectx* nic, Command* command) {
    return kOk;
}

#define OPERATION(name, layout, handler) \
    { MLX5_CMD_OP_##name, #name, handler, IFC_BYTES(layout##_in), IFC_BYTES(layout##_out) }

static const Operation kOperations[] = {
    OPERATION(QUERY_HCA_CAP, query_hca_cap, capabilities_query),
    OPERATION(QUERY_ADAPTER, query_adapter, capabilities_query_adapter),
    OPERATION(INIT_HCA, init_hca, accept_silently),
    OPERATION(TEARDOWN_HCA, teardown_hca, accept_silently),
    OPERATION(ENABLE_HCA, enable_hca, accept_silently),
    OPERATION(DISABLE_HCA, disable_hca, accept_silently),
    OPERATION(QUERY_PAGES, query_pages, accept_silently),
    OPERATION(MANAGE_PAGES, manage_pages, accept_silently),
    OPERATION(SET_HCA_CAP, set_hca_cap, capabilities_set),
    OPERATION(QUERY_ISSI, query_issi, capabilities_query_issi),
    OPERATION(SET_ISSI, set_issi, accept_silently),
    OPERATION(SET_DRIVER_VERSION, set_driver_version, accept_silently),
    OPERATION(CREATE_MKEY, create_mkey, mkey_create),
    OPERATION(DESTROY_MKEY, destroy_mkey, mkey_destroy),
    OPERATION(QUERY_SPECIAL_CONTEXTS, query_special_contexts, capabilities_special_contexts),
    OPERATION(CREATE_EQ, create_eq, eq_create),
    OPERATION(DESTROY_EQ, destroy_eq, eq_destroy),
    OPERATION(CREATE_CQ, create_cq, cq_create),
    OPERATION(DESTROY_CQ, destroy_cq, cq_destroy),
    OPERATION(QUERY_CQ, query_cq, cq_query),
    OPERATION(MODIFY_CQ, modify_cq, cq_modify),
    OPERATION(CREATE_QP, create_qp, qp_create),
    OPERATION(DESTROY_QP, destroy_qp, qp_destroy),
    OPERATION(RST2INIT_QP, rst2init_qp, qp_modify),
    OPERATION(INIT2INIT_QP, init2init_qp, qp_modify),
    OPERATION(INIT2RTR_QP, init2rtr_qp, qp_modify),
    OPERATION(RTR2RTS_QP, rtr2rts_qp, qp_modify),
    OPERATION(RTS2RTS_QP, rts2rts_qp, qp_modify),
    OPERATION(SQERR2RTS_QP, sqerr2rts_qp, qp_modify),
    OPERATION(2ERR_QP, qp_2err, qp_modify),
    OPERATION(2RST_QP, qp_2rst, qp_modify),
    OPERATION(QUERY_QP, query_qp, qp_query),
    OPERATION(CREATE_XRC_SRQ, create_xrc_srq, srq_create_xrc),
    OPERATION(DESTROY_XRC_SRQ, destroy_xrc_srq, srq_destroy),
    OPERATION(CREATE_RMP, create_rmp, srq_create_rmp),
    OPERATION(DESTROY_RMP, destroy_rmp, srq_destroy),
    OPERATION(MODIFY_RMP, modify_rmp, srq_modify_rmp),
    OPERATION(QUERY_RMP, query_rmp, srq_query_rmp),
    OPERATION(QUERY_VPORT_STATE, query_vport_state, port_query_state),
    OPERATION(MODIFY_VPORT_STATE, modify_vport_state, accept_silently),
    OPERATION(QUERY_NIC_VPORT_CONTEXT, query_nic_vport_context, port_query_nic_vport),
    OPERATION(MODIFY_NIC_VPORT_CONTEXT, modify_nic_vport_context, port_modify_nic_vport),
    OPERATION(SET_ROCE_ADDRESS, set_roce_address, port_set_roce_address),
    OPERATION(QUERY_HCA_VPORT_CONTEXT, query_hca_vport_context, port_query_hca_vport_context),
    OPERATION(QUERY_HCA_VPORT_GID, query_hca_vport_gid, port_query_gid),
    OPERATION(QUERY_HCA_VPORT_PKEY, query_hca_vport_pkey, port_query_pkey),
    OPERATION(ACCESS_REG, access_register, port_access_register),
    OPERATION(ALLOC_PD, alloc_pd, pd_alloc),
    OPERATION(DEALLOC_PD, dealloc_pd, pd_dealloc),
    OPERATION(ALLOC_UAR, alloc_uar, uar_alloc),
    OPERATION(DEALLOC_UAR, dealloc_uar, uar_dealloc),
    OPERATION(ALLOC_XRCD, alloc_xrcd, other_create),
    OPERATION(DEALLOC_XRCD, dealloc_xrcd, other_destroy),
    OPERATION(ALLOC_TRANSPORT_DOMAIN, alloc_transport_domain, other_create),
    OPERATION(DEALLOC_TRANSPORT_DOMAIN, dealloc_transport_domain, other_destroy),
    OPERATION(ALLOC_Q_COUNTER, alloc_q_counter, other_create),
    OPERATION(DEALLOC_Q_COUNTER, dealloc_q_counter, other_destroy),
    OPERATION(QUERY_Q_COUNTER, query_q_counter, transport_query_counters),
    OPERATION(ATTACH_TO_MCG, attach_to_mcg, qp_attach),
    OPERATION(DETACH_FROM_MCG, detach_from_mcg, qp_detach),
    OPERATION(QUERY_CONG_PARAMS, query_cong_params, accept_silently),
    OPERATION(CREATE_TIS, create_tis, other_create),
    OPERATION(DESTROY_TIS, destroy_tis, other_destroy),
    OPERATION(MODIFY_TIS, modify_tis, other_modify),
    OPERATION(CREATE_TIR, create_tir, tir_create),
    OPERATION(DESTROY_TIR, destroy_tir, tir_destroy),
    OPERATION(MODIFY_TIR, modify_tir, tir_modify),
    OPERATION(CREATE_RQT, create_rqt, rqt_create),
    OPERATION(DESTROY_RQT, destroy_rqt, rqt_destroy),
    OPERATION(MODIFY_RQT, modify_rqt, rqt_modify),
    OPERATION(CREATE_RQ, create_rq, receive_queue_create),
    OPERATION(DESTROY_RQ, destroy_rq, receive_queue_destroy),
    OPERATION(MODIFY_RQ, modify_rq, receive_queue_modify),
    OPERATION(QUERY_RQ, query_rq, receive_queue_query),
    OPERATION(CREATE_SQ, create_sq, send_queue_create),
    OPERATION(DESTROY_SQ, destroy_sq, send_queue_destroy),
    OPERATION(MODIFY_SQ, modify_sq, send_queue_modify),
    OPERATION(QUERY_SQ, query_sq, send_queue_query),
    OPERATION(CREATE_FLOW_TABLE, create_flow_table, flow_table_create),
    OPERATION(DESTROY_FLOW_TABLE, destroy_flow_table, flow_table_destroy),
    OPERATION(MODIFY_FLOW_TABLE, modify_flow_table, flow_table_modify),
    OPERATION(CREATE_FLOW_GROUP, create_flow_group, flow_group_create),
    OPERATION(DESTROY_FLOW_GROUP, destroy_flow_group, flow_group_destroy),
    OPERATION(SET_FLOW_TABLE_ENTRY, set_fte, flow_entry_set),
    OPERATION(DELETE_FLOW_TABLE_ENTRY, delete_fte, flow_entry_delete),
    OPERATION(SET_FLOW_TABLE_ROOT, set_flow_table_root, flow_table_set_root),
    OPERATION(SET_L2_TABLE_ENTRY, set_l2_table_entry, accept_silently),
    OPERATION(DELETE_L2_TABLE_ENTRY, delete_l2_table_entry, accept_silently),
    OPERATION(QUERY_VPORT_COUNTER, query_vport_counter, accept_silently),
};

const Operation* find_operation(unsigned operation) {
    for (size_t i = 0; i < ARRAY_SIZE(kOperations); i++) {
        if (kOperations[i].operation == operation) {
            return &kOperations[i];
        }
    }
    return NULL;
}
