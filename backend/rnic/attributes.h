// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The attributes of the verbs, in host byte order.  Values, masks and flags are
// those of <rdma/ib_user_verbs.h> and of the InfiniBand specification.
#pragma once

#include <vrdma_command_table.h>

#include <array>
#include <cstdint>
#include <vector>

#include "memory/address.h"
#include "memory/guest_memory.h"

namespace vrdma::rnic {

using Gid = std::array<uint8_t, 16>;
using MacAddress = std::array<uint8_t, 6>;

// The number of a guest's port: its device has one.
inline constexpr uint8_t kGuestPort = 1;

// IBTA 1.4, 11.2.1.2 (Query HCA).
struct DeviceAttributes {
    uint64_t fw_ver = 0;
    uint64_t node_guid = 0;  // host byte order
    uint64_t sys_image_guid = 0;
    uint64_t max_mr_size = 0;
    uint64_t page_size_cap = 0;
    uint64_t device_cap_flags = 0;
    uint32_t vendor_id = 0;
    uint32_t vendor_part_id = 0;
    uint32_t hw_ver = 0;
    uint32_t max_qp = 0;
    uint32_t max_qp_wr = 0;
    uint32_t max_send_sge = 0;
    uint32_t max_recv_sge = 0;
    uint32_t max_sge_rd = 0;
    uint32_t max_cq = 0;
    uint32_t max_cqe = 0;
    uint32_t max_mr = 0;
    uint32_t max_pd = 0;
    uint32_t max_qp_rd_atom = 0;
    uint32_t max_res_rd_atom = 0;
    uint32_t max_qp_init_rd_atom = 0;
    uint32_t atomic_cap = 0;
    uint32_t max_mw = 0;
    uint32_t max_mcast_grp = 0;
    uint32_t max_mcast_qp_attach = 0;
    uint32_t max_ah = 0;
    uint32_t max_srq = 0;
    uint32_t max_srq_wr = 0;
    uint32_t max_srq_sge = 0;
    uint16_t max_pkeys = 0;
    uint8_t local_ca_ack_delay = 0;
    uint32_t max_inline_data = 0;
    uint32_t max_fast_reg_pages = 0;  // of one alloc_mr()

    // What a guest whose RAM is in a file of huge pages cannot do, for the operator; null for
    // nothing.
    const char* huge_page_limit = nullptr;

    uint32_t driver_id = 0;           // enum rdma_driver_id: whose user library fits
    uint32_t uverbs_abi_version = 0;  // of that driver's user ABI
    // Abilities that RNICs need not have, each with the feature by which the device offers it.  The
    // fields has_srq, has_mw, iwarp and so on come from the list of features
    // (common/vrdma_command_table.h).
#define VRDMA_ATTRIBUTE(name, bit, attribute) bool attribute = false;
    VRDMA_FEATURES(VRDMA_ATTRIBUTE)
#undef VRDMA_ATTRIBUTE
};

struct PortAttributes {
    uint32_t state = 0;
    uint32_t max_mtu = 0;
    uint32_t active_mtu = 0;
    uint32_t gid_tbl_len = 0;
    uint32_t port_cap_flags = 0;
    uint32_t max_msg_sz = 0;
    uint16_t pkey_tbl_len = 0;
    uint8_t active_width = 0;
    uint8_t phys_state = 0;
    uint16_t active_speed = 0;

    // What a port on InfiniBand has besides.
    uint16_t lid = 0;
    uint16_t sm_lid = 0;
    uint8_t lmc = 0;
    uint8_t sm_sl = 0;
    uint8_t subnet_timeout = 0;
    uint8_t init_type_reply = 0;
    uint8_t max_vl_num = 0;
};

struct MrAttributes {
    memory::GuestVirtualAddress start;  // where the guest process has it
    memory::GuestVirtualAddress iova;   // how it is addressed on the wire (hca_va)
    uint64_t length = 0;                // bytes; 0 is valid
    uint32_t access = 0;
    // Their sum is the length.  A region of no bytes has one, the byte at which it begins.
    std::vector<memory::PinnedRange> pieces;
};

// All of the guest's memory, as Port::set_memory() tells it.
struct DmaMrAttributes {
    uint64_t base = 0;  // on the wire, the address of guest-physical 0
    uint32_t access = 0;
};

// A region that work requests REG_MR give its memory.
struct FastMrAttributes {
    uint32_t max_pages = 0;
    std::vector<memory::PinnedRange> description;  // vrdma_fast_reg and max_pages addresses
};

// The attributes of a region that a REREG_MR changes.
struct MrChanges {
    bool translation = false;  // start, iova, length and pieces
    bool pd = false;
    bool access = false;
};

struct CqAttributes {
    uint32_t cqe = 0;  // in: wanted, out: there
    uint32_t comp_vector = 0;
    uint32_t flags = 0;
};

struct SrqAttributes {
    uint32_t max_wr = 0;
    uint32_t max_sge = 0;
    uint32_t srq_limit = 0;
};

struct QpCapabilities {
    uint32_t max_send_wr = 0;
    uint32_t max_recv_wr = 0;
    uint32_t max_send_sge = 0;
    uint32_t max_recv_sge = 0;
    uint32_t max_inline_data = 0;
};

// The VLAN of what has none, in the place of the id (VRDMA_CMD_ADD_GID).
inline constexpr uint16_t kNoVlan = 0xffff;

struct AhAttributes {
    Gid dgid{};
    uint32_t flow_label = 0;
    uint8_t sgid_index = 0;
    uint8_t hop_limit = 0;
    uint8_t traffic_class = 0;
    uint8_t sl = 0;
    uint8_t port = 0;
    uint8_t static_rate = 0;
    MacAddress dmac{};

    // These are for a port on InfiniBand.
    uint16_t dlid = 0;
    uint8_t src_path_bits = 0;
    bool has_grh = false;
};

struct QpAttributes {
    uint8_t qp_state = 0;
    uint8_t cur_qp_state = 0;
    uint8_t path_mtu = 0;
    uint8_t path_mig_state = 0;
    uint32_t qkey = 0;
    uint32_t rq_psn = 0;
    uint32_t sq_psn = 0;
    uint32_t dest_qp_num = 0;
    uint32_t qp_access_flags = 0;
    uint16_t pkey_index = 0;
    uint8_t en_sqd_async_notify = 0;
    uint8_t sq_draining = 0;
    uint8_t max_rd_atomic = 0;
    uint8_t max_dest_rd_atomic = 0;
    uint8_t min_rnr_timer = 0;
    uint8_t port = 0;
    uint8_t timeout = 0;
    uint8_t retry_cnt = 0;
    uint8_t rnr_retry = 0;
    uint32_t rate_limit = 0;
    AhAttributes ah;
    QpCapabilities cap;
};

}  // namespace vrdma::rnic
