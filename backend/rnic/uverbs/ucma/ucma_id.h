// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "budget.h"
#include "rnic/uverbs/addressing/connection_names.h"
#include "rnic/uverbs/addressing/listen_places.h"
#include "rnic/uverbs/addressing/socket_address.h"
#include "rnic/verbs_abi.h"

namespace vrdma::uverbs {

class UcmaFile;

// One of a guest's ids, as the daemon knows it.  The number of the id is that of the first id of
// the kernel's that it had.
struct UcmaId {
    Charge charge;
    UcmaFile* file = nullptr;
    uint32_t kernel_id = 0;
    // Ids of the kernel's that were bound where the id cannot reach its peer.  They keep the
    // number.
    std::vector<uint32_t> retired;
    uint16_t port_space = 0;  // enum rdma_ucm_port_space
    rnic::QpType qp_type{};
    uint64_t uid = 0;  // the guest's
    uint64_t key = 0;  // the kernel's uid in its place; 0 as long as there is none

    // The ends as the guest names them.  Their ports are the kernel's business.
    std::optional<SocketAddress> local;
    std::optional<SocketAddress> remote;
    // The underlay GIDs that the kernel has in their place.
    std::optional<rnic::Gid> underlay_local;
    std::optional<rnic::Gid> underlay_remote;

    // Tells the listening end the names, where that is a guest of this daemon too.
    std::shared_ptr<ConnectionNames::Entry> asking;

    // The id is bound to no address of the guest's in particular: `local` is unspecified.
    bool wildcard = false;
    bool ipv6_only = false;
    // Where the id is reached as a listener.  The kernel's id is at `underlay_local`, and there are
    // ids of the kernel's at the other places, once the id listens.
    std::vector<ListenPlace> places;
    struct Other {
        rnic::Gid underlay{};
        uint32_t id = 0;
    };
    std::vector<Other> others;
    // The backlog, once the id listens.
    std::optional<uint32_t> backlog;
    Charge backlog_charge;  // of all places
    // Options that the other ids get as well, by name (RDMA_OPTION_ID_*).
    std::map<uint32_t, std::vector<std::byte>> options;

    // How many events the kernel counts as reported that the guest has not seen, and how many the
    // guest has seen of ids of the kernel's that are gone.
    uint32_t hidden_events = 0;
    uint32_t past_events = 0;
};

}  // namespace vrdma::uverbs
