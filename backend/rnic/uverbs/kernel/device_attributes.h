// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What the kernel tells of an RNIC and of its ports.
#pragma once

#include <rdma/ib_user_verbs.h>

#include <cstdint>

#include "result.h"
#include "rnic/attributes.h"
#include "rnic/uverbs/kernel/uverbs.h"

namespace vrdma::uverbs {

// The verbs that a driver need not have, and whether this driver has each.
struct SupportedVerbs {
    bool rereg_mr = false;
    bool alloc_mw = false;
    bool resize_cq = false;
    bool attach_mcast = false;
    bool xrc = false;  // if the device has it, which its capabilities tell
};

// Asks the kernel which verbs the driver has, by commands that name no object.  `file` has a user
// context.
SupportedVerbs find_supported_verbs(UverbsFile& file);

// Asks the kernel for the attributes of the RNIC.  driver_id, the ABI version and the transport
// are left out, for the kernel does not tell them here; so are the capabilities that vrdma or the
// driver has no verbs for.  Errors: the kernel's.
Result<rnic::DeviceAttributes> query_device(UverbsFile& file, const SupportedVerbs& verbs);

// The driver's private bytes of the answer to QUERY_DEVICE, a multiple of 8.  Errors: the kernel's.
Result<void> query_device_udata(UverbsFile& file, std::span<std::byte> out);

// Asks the kernel for the attributes of a port of the RNIC.  Errors: the kernel's.
Result<ib_uverbs_query_port_resp> query_port(UverbsFile& file, uint32_t port);

// The attributes of the guest's port, without gid_tbl_len: the GID table is the guest's own.
rnic::PortAttributes port_attributes(const ib_uverbs_query_port_resp& kernel);

}  // namespace vrdma::uverbs
