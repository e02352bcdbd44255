// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/verbs/ah.h"

#include <algorithm>

#include "rnic/attributes_state.h"
#include "rnic/uverbs/verbs/pd.h"

namespace vrdma::uverbs {
namespace {

constexpr KernelObjectKind kKind{
    .name = "address handle",
    .destroy = destroy_by_handle<ib_uverbs_destroy_ah, IB_USER_VERBS_CMD_DESTROY_AH>,
    .counter = &rnic::LiveObjects::address_handles,
};

ib_uverbs_ah_attr ah_attributes(const rnic::AhAttributes& ah) {
    ib_uverbs_ah_attr attr{};
    std::ranges::copy(ah.dgid, attr.grh.dgid);
    attr.grh.flow_label = ah.flow_label;
    attr.grh.sgid_index = ah.sgid_index;
    attr.grh.hop_limit = ah.hop_limit;
    attr.grh.traffic_class = ah.traffic_class;
    attr.sl = ah.sl;
    attr.static_rate = ah.static_rate;
    attr.dlid = ah.dlid;
    attr.src_path_bits = ah.src_path_bits;
    attr.is_global = ah.has_grh ? 1 : 0;
    attr.port_num = ah.port;
    return attr;
}

// `group` comes back for a path to a multicast group.  Errors: GuestAddresses::use_group()'s.
Result<void> use_group_of(GuestAddresses& addresses, const rnic::AhAttributes& path,
                          std::optional<GroupLeases::Lease>& group) {
    if (is_multicast(path.dgid)) {
        auto used = addresses.use_group(path.dgid);
        if (!used) {
            return fail(used.error());
        }
        group.emplace(std::move(*used));
    }
    return {};
}

// The path of a guest's address handle on the host's port.  `group` comes back for multicast on an
// RNIC whose guests have IP addresses.
Result<rnic::AhAttributes> host_path(const PortState& port, const rnic::AhAttributes& guest,
                                     std::optional<GroupLeases::Lease>& group) {
    if (port.rnic->ib_tables != nullptr) {
        return port.rnic->ib_tables->host_path(guest);
    }
    GuestAddresses* addresses = port.addresses.get();
    if (addresses == nullptr) {
        return fail(EOPNOTSUPP);
    }
    if (auto used = use_group_of(*addresses, guest, group); !used) {
        return fail(used.error());
    }
    auto path = group ? addresses->underlay_of_group(guest) : addresses->underlay(guest);
    if (path && port.rnic->vendor.ah_in_user_memory) {
        if (auto same = addresses->check_same(guest, *path); !same) {
            return fail(same.error());
        }
    }
    return path;
}

}  // namespace

Ah::Ah(const ContextState& context, uint32_t handle, std::optional<GroupLeases::Lease> group)
    : group_(std::move(group)), object_(context, kKind, handle) {}

// rxe reads the address handle when it looks at the request (rxe_get_av()).  Natively the library's
// doorbell is a system call, and the requests are on their way when that returns, so programs such
// as mckey post a message and destroy the handle.
Ah::~Ah() {
    object_.context().port.worker.catch_up();
}

Result<std::unique_ptr<rnic::AddressHandle>> Ah::create(const ContextState& context,
                                                        const rnic::ProtectionDomain& pd,
                                                        const rnic::AhAttributes& attributes,
                                                        rnic::Udata& udata) {
    if (attributes.port != rnic::kGuestPort) {
        return fail(EINVAL);
    }
    std::optional<GroupLeases::Lease> group;
    auto path = host_path(context.port, attributes, group);
    if (!path) {
        return fail(path.error());
    }
    ib_uverbs_create_ah request{};
    request.pd_handle = handle_of(pd);
    request.attr = ah_attributes(*path);
    ib_uverbs_create_ah_resp kernel{};
    auto created =
        context.execute(VRDMA_CMD_CREATE_AH, {IB_USER_VERBS_CMD_CREATE_AH, request, kernel}, udata);
    if (!created) {
        return fail(created.error());
    }
    return std::make_unique<Ah>(context, kernel.ah_handle, std::move(group));
}

Result<void> Ah::save(state::Ah& ah) const {
    ah.mutable_uverbs()->set_kernel_handle(object_.handle());
    return {};
}

Result<std::unique_ptr<rnic::AddressHandle>> Ah::restore(const ContextState& context,
                                                         const state::Ah& saved) {
    const auto path = rnic::restore_path(saved.path());
    if (!saved.has_uverbs() || !path) {
        return fail(EINVAL);
    }
    std::optional<GroupLeases::Lease> group;
    if (context.port.addresses != nullptr) {
        if (auto used = use_group_of(*context.port.addresses, *path, group); !used) {
            return fail(used.error());
        }
    }
    return std::make_unique<Ah>(context, saved.uverbs().kernel_handle(), std::move(group));
}

}  // namespace vrdma::uverbs
