// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "rnic/uverbs/addressing/listen_places.h"
#include "rnic/uverbs/addressing/socket_address.h"

namespace vrdma::uverbs {

class UcmaFile;

// What is known of one of a guest's ids.  The guest's id is the kernel's.
struct UcmaId {
    UcmaFile* file = nullptr;
    uint16_t port_space = 0;  // enum rdma_ucm_port_space
    uint8_t qp_type = 0;      // enum ib_uverbs_qp_type; of RDMA_PS_IB's choice
    uint64_t uid = 0;         // the guest's
    uint64_t key = 0;         // what the kernel has in its place; 0 as long as there is none

    // As the guest names them; ports are the kernel's business.
    std::optional<SocketAddress> local;
    std::optional<SocketAddress> remote;
    // What the kernel has in their place.
    std::optional<rnic::Gid> underlay_local;
    std::optional<rnic::Gid> underlay_remote;

    // Bound to no address of the guest's in particular: `local` is unspecified, `places` are
    // where it is.  The kernel's id is at the first one.
    bool wildcard = false;
    bool ipv6_only = false;
    std::vector<ListenPlace> places;
    // The kernel's ids at the other ones, once it listens.
    std::vector<uint32_t> others;
    // Options that those get as well, by name (RDMA_OPTION_ID_*).
    std::map<uint32_t, std::vector<std::byte>> options;

    // Events that the kernel counts as reported and the guest has not seen.
    uint32_t hidden_events = 0;
};

}  // namespace vrdma::uverbs
