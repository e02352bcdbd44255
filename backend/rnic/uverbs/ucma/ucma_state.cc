// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Files and their ids as a state that travels to the daemon's successor (state/uverbs.proto).  The
// ids themselves are the kernel's, in the file.
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "rnic/attributes_state.h"
#include "rnic/uverbs/kernel/rdma_cm.h"
#include "rnic/uverbs/ucma/ucma_file.h"
#include "rnic/uverbs/ucma/ucma_port.h"
#include "state/device.pb.h"

namespace vrdma::uverbs {
namespace {

std::string bytes_of(const std::optional<rnic::Gid>& gid) {
    return gid ? rnic::save_gid(*gid) : std::string();
}

// False unless the bytes are a GID.
bool get_gid(const std::string& bytes, rnic::Gid& gid) {
    const auto found = rnic::restore_gid(bytes);
    gid = found.value_or(gid);
    return found.has_value();
}

// As above, for bytes that may be left out.
bool get_gid(const std::string& bytes, std::optional<rnic::Gid>& gid) {
    return bytes.empty() || get_gid(bytes, gid.emplace());
}

void put_endpoint(const SocketAddress& address, state::UverbsEndpoint& saved) {
    saved.set_ipv6(address.ipv6);
    saved.set_ip(rnic::save_gid(address.ip));
    saved.set_port(address.port);
    saved.set_scope_id(address.scope_id);
}

bool get_port(uint32_t saved, uint16_t& port) {
    port = static_cast<uint16_t>(saved);
    return saved <= std::numeric_limits<uint16_t>::max();
}

bool get_endpoint(const state::UverbsEndpoint& saved, std::optional<SocketAddress>& address) {
    address.emplace();
    address->ipv6 = saved.ipv6();
    address->scope_id = saved.scope_id();
    return get_gid(saved.ip(), address->ip) && get_port(saved.port(), address->port);
}

void put_listener(const UcmaId& id, state::UverbsUcmaId& saved) {
    for (const ListenPlace& place : id.places) {
        auto& to = *saved.add_places();
        to.set_guest(rnic::save_gid(place.guest));
        to.set_underlay(rnic::save_gid(place.underlay));
        to.set_shared(place.shared);
        to.set_needed(place.needed);
    }
    for (const UcmaId::Other& other : id.others) {
        auto& to = *saved.add_others();
        to.set_underlay(rnic::save_gid(other.underlay));
        to.set_kernel_id(other.id);
    }
    if (id.backlog) {
        saved.set_backlog(*id.backlog);
    }
}

bool get_listener(const state::UverbsUcmaId& saved, UcmaId& id) {
    for (const state::UverbsListenPlace& place : saved.places()) {
        ListenPlace& to = id.places.emplace_back();
        to.shared = place.shared();
        to.needed = place.needed();
        if (!get_gid(place.guest(), to.guest) || !get_gid(place.underlay(), to.underlay)) {
            return false;
        }
    }
    for (const state::UverbsListener& other : saved.others()) {
        UcmaId::Other& to = id.others.emplace_back();
        to.id = other.kernel_id();
        if (!get_gid(other.underlay(), to.underlay)) {
            return false;
        }
    }
    if (saved.has_backlog()) {
        id.backlog = saved.backlog();
        return saved.backlog() <= UcmaPort::kMaxBacklog && id.local && id.underlay_local;
    }
    return true;
}

void put_id(const UcmaId& id, state::UverbsUcmaId& saved) {
    saved.set_kernel_id(id.kernel_id);
    for (const uint32_t retired : id.retired) {
        saved.add_retired(retired);
    }
    saved.set_port_space(id.port_space);
    saved.set_qp_type(static_cast<uint32_t>(id.qp_type));
    saved.set_uid(id.uid);
    saved.set_key(id.key);
    if (id.local) {
        put_endpoint(*id.local, *saved.mutable_local());
    }
    if (id.remote) {
        put_endpoint(*id.remote, *saved.mutable_remote());
    }
    saved.set_underlay_local(bytes_of(id.underlay_local));
    saved.set_underlay_remote(bytes_of(id.underlay_remote));
    if (id.asking != nullptr) {
        auto& asking = *saved.mutable_asking();
        asking.set_underlay(rnic::save_gid(id.asking->key().underlay));
        asking.set_port(id.asking->key().port);
        asking.set_source(rnic::save_gid(id.asking->names().source));
        asking.set_destination(rnic::save_gid(id.asking->names().destination));
    }
    saved.set_wildcard(id.wildcard);
    saved.set_ipv6_only(id.ipv6_only);
    put_listener(id, saved);
    for (const auto& [name, value] : id.options) {
        auto& option = *saved.add_options();
        option.set_name(name);
        option.set_value(value.data(), value.size());
    }
    saved.set_hidden_events(id.hidden_events);
    saved.set_past_events(id.past_events);
}

// Without `asking`.
bool get_id(const state::UverbsUcmaId& saved, UcmaId& id) {
    id.kernel_id = saved.kernel_id();
    id.retired.assign(saved.retired().begin(), saved.retired().end());
    id.qp_type = static_cast<rnic::QpType>(saved.qp_type());
    id.uid = saved.uid();
    id.key = saved.key();
    id.wildcard = saved.wildcard();
    id.ipv6_only = saved.ipv6_only();
    for (const state::UverbsIdOption& option : saved.options()) {
        const auto value = std::as_bytes(std::span(option.value()));
        id.options[option.name()].assign(value.begin(), value.end());
    }
    id.hidden_events = saved.hidden_events();
    id.past_events = saved.past_events();
    return get_port(saved.port_space(), id.port_space) &&
           (!saved.has_local() || get_endpoint(saved.local(), id.local)) &&
           (!saved.has_remote() || get_endpoint(saved.remote(), id.remote)) &&
           get_gid(saved.underlay_local(), id.underlay_local) &&
           get_gid(saved.underlay_remote(), id.underlay_remote) &&
           // Whoever has a peer is at an address.
           (!id.remote || id.underlay_remote) &&
           (!id.underlay_remote || (id.underlay_local && id.local)) && get_listener(saved, id);
}

}  // namespace

Result<void> UcmaFile::save(state::UcmaFile& saved, state::FilesToSend& files) const {
    saved.set_ibdev_index(init_.ibdev_index);
    auto& uverbs = *saved.mutable_uverbs();
    if (auto host = host_->save(uverbs, files); !host) {
        return host;
    }
    uverbs.set_reported(port_.watch().is_reported(init_.handle));
    uverbs.set_events(static_cast<uint32_t>(events_.size()));
    for (const auto& [id, what] : port_.ids()) {
        if (what.file != this) {
            continue;
        }
        auto& to = *uverbs.add_ids();
        to.set_id(id);
        put_id(what, to);
        for (const auto& [group, joined] : port_.groups()) {
            if (joined.id == id) {
                auto& entry = *to.add_groups();
                entry.set_kernel_id(group);
                entry.set_key(joined.key);
                entry.set_uid(port_.subject(joined.key)->multicast.value_or(0));
                entry.set_gid(rnic::save_gid(joined.gid));
            }
        }
    }
    return {};
}

Result<void> UcmaFile::restore(const state::UverbsUcmaFile& saved) {
    for (const state::UverbsUcmaId& id : saved.ids()) {
        if (auto restored = restore_id(id); !restored) {
            return restored;
        }
    }
    for (uint32_t i = 0; i < saved.events(); ++i) {
        auto event = charge_event();
        if (!event) {
            break;  // the guest's limit is lower now
        }
        events_.push_back(std::move(*event));
    }
    return {};
}

Result<void> UcmaFile::restore_id(const state::UverbsUcmaId& saved) {
    UcmaId id;
    if (!get_id(saved, id) || port_.find(saved.id()) != nullptr || !port_.is_free(id.key)) {
        return fail(EINVAL);
    }
    id.file = this;
    id.charge = rnic::take(port_.budgets().connections);
    if (id.backlog) {
        id.backlog_charge = rnic::take(port_.budgets().connection_backlog,
                                       uint64_t{*id.backlog} * (1 + id.others.size()));
    }
    if (saved.has_asking()) {
        ConnectionNames::Key key{.port_space = id.port_space};
        ConnectionNames::Names names;
        if (!get_gid(saved.asking().underlay(), key.underlay) ||
            !get_port(saved.asking().port(), key.port) ||
            !get_gid(saved.asking().source(), names.source) ||
            !get_gid(saved.asking().destination(), names.destination)) {
            return fail(EINVAL);
        }
        id.asking = port_.addresses().remember(key, names);
    }
    port_.set_subject(id.key, {.id = saved.id(), .multicast = {}});
    port_.insert(saved.id(), std::move(id));
    return restore_groups(saved);
}

Result<void> UcmaFile::restore_groups(const state::UverbsUcmaId& saved) {
    for (const state::UverbsUcmaGroup& group : saved.groups()) {
        rnic::Gid gid{};
        if (!get_gid(group.gid(), gid) || group.key() == 0 || !port_.is_free(group.key()) ||
            port_.find_group(group.kernel_id()) != nullptr) {
            return fail(EINVAL);
        }
        if (auto room = port_.check_room_for_group(); !room) {
            return room;
        }
        auto lease = port_.addresses().use_group(gid);
        if (!lease) {
            return fail(lease.error());
        }
        port_.set_subject(group.key(), {.id = saved.id(), .multicast = group.uid()});
        port_.insert_group(
            group.kernel_id(),
            {.id = saved.id(), .key = group.key(), .gid = gid, .lease = std::move(*lease)});
    }
    return {};
}

}  // namespace vrdma::uverbs
