// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Conversion between the structures on the wire (little-endian) and the attributes of the verbs
// (host byte order).
#pragma once

#include <vrdma_commands.h>
#include <vrdma_iw_cm.h>

#include "rnic/attributes.h"
#include "rnic/iw_cm.h"

namespace vrdma::device {

rnic::QpCapabilities from_wire(const vrdma_qp_cap& wire);
vrdma_qp_cap to_wire(const rnic::QpCapabilities& cap);

rnic::AhAttributes from_wire(const vrdma_ah_attr& wire);
vrdma_ah_attr to_wire(const rnic::AhAttributes& attributes);

rnic::QpAttributes from_wire(const vrdma_qp_attr& wire);
vrdma_qp_attr to_wire(const rnic::QpAttributes& attributes);

rnic::Endpoint from_wire(const vrdma_iw_address& wire);
vrdma_iw_address to_wire(const rnic::Endpoint& endpoint);

// `private_data_len` of the structure has been checked.
rnic::IwCmParameters from_wire(const vrdma_iw_param& wire);
vrdma_iw_param to_wire(const rnic::IwCmParameters& parameters);

// These fill all of the response but its header.
void to_wire(const rnic::IwCmEvent& event, vrdma_rsp_iw_event& wire);
void to_wire(const rnic::DeviceAttributes& attributes, vrdma_rsp_query_device& wire);
void to_wire(const rnic::PortAttributes& attributes, vrdma_rsp_query_port& wire);

}  // namespace vrdma::device
