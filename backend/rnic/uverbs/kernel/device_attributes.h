// SPDX-License-Identifier: Apache-2.0
// Attributes as the kernel's commands have them, and as rnic/attributes.h has them.
#pragma once

#include <rdma/ib_user_verbs.h>

#include <cstdint>

#include "rnic/attributes.h"
#include "rnic/uverbs/kernel/supported_verbs.h"

namespace vrdma::uverbs {

// Without driver_id, ABI version and transport, which the kernel does not tell here, and
// without the capabilities that vrdma or the driver has no verbs for.
rnic::DeviceAttributes device_attributes(const ib_uverbs_query_device_resp& kernel,
                                         const SupportedVerbs& verbs);

// The GID table is the guest's own: gid_tbl_len is left to the caller.
rnic::PortAttributes port_attributes(const ib_uverbs_query_port_resp& kernel);

// With `ah` for the attributes' own address vector, in the terms of the host's port.
ib_uverbs_modify_qp modify_qp(uint32_t qp_handle, uint32_t attr_mask,
                              const rnic::QpAttributes& attributes, const rnic::AhAttributes& ah,
                              uint8_t host_port);

// Without the address vector and the port, which are the host's.
rnic::QpAttributes qp_attributes(const ib_uverbs_query_qp_resp& kernel);

ib_uverbs_ah_attr ah_attributes(const rnic::AhAttributes& ah);

}  // namespace vrdma::uverbs
