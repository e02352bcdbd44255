// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Commands and events of connections.
#include <infiniband/verbs.h>
#include <poll.h>
#include <rdma/ib_user_ioctl_verbs.h>

#include "rnic/uverbs/kernel/cm_event_type.h"
#include "rnic/uverbs/kernel/rdma_cm.h"
#include "rnic/uverbs/ucma/ucma_file.h"
#include "rnic/uverbs/ucma/ucma_port.h"

namespace vrdma::uverbs {
namespace {

// How many events that the guest does not get one GET_EVENT skips; the next one goes on.
constexpr unsigned kMaxHiddenEvents = 64;

}  // namespace

Result<void> UcmaFile::resolve_route(const rdma_ucm_resolve_route& request, Call&) {
    const auto id = port_.find(*this, request.id);
    if (!id) {
        return fail(id.error());
    }
    auto event = charge_event();
    if (!event) {
        return fail(event.error());
    }
    auto begun = uverbs::execute(*host_, RDMA_USER_CM_CMD_RESOLVE_ROUTE, kernels(request, **id));
    if (begun) {
        events_.push_back(std::move(*event));
    }
    return begun;
}

Result<void> UcmaFile::connect(const rdma_ucm_connect& request, Call&) {
    const auto id = port_.find(*this, request.id);
    if (!id) {
        return fail(id.error());
    }
    rdma_ucm_connect kernel = kernels(request, **id);
    if ((*id)->qp_type == rnic::QpType::kUd) {
        kernel.conn_param.qp_num = 0;  // no request of this service carries it
    } else if (auto mine = port_.check_qp(**id, request.conn_param.qp_num); !mine) {
        return mine;
    }
    return uverbs::execute(*host_, RDMA_USER_CM_CMD_CONNECT, kernel);
}

Result<void> UcmaFile::accept(const rdma_ucm_accept& request, Call&) {
    const auto found = port_.find(*this, request.id);
    if (!found) {
        return fail(found.error());
    }
    UcmaId& id = **found;
    rdma_ucm_accept kernel = kernels(request, id);
    if (request.conn_param.valid == 0) {
        // The id asked for the connection, and has its uid.
        return uverbs::execute(*host_, RDMA_USER_CM_CMD_ACCEPT, kernel);
    }
    if (auto mine = port_.check_qp(id, request.conn_param.qp_num); !mine) {
        return mine;
    }
    const uint64_t key = request.uid == 0 ? 0 : port_.new_key({.id = request.id, .multicast = {}});
    kernel.uid = key;
    if (auto accepted = uverbs::execute(*host_, RDMA_USER_CM_CMD_ACCEPT, kernel); !accepted) {
        port_.forget_key(key);
        return accepted;
    }
    port_.forget_key(id.key);
    id.key = key;
    id.uid = request.uid;
    return {};
}

Result<void> UcmaFile::reject(const rdma_ucm_reject& request, Call&) {
    const auto id = port_.find(*this, request.id);
    return id ? uverbs::execute(*host_, RDMA_USER_CM_CMD_REJECT, kernels(request, **id))
              : fail(id.error());
}

Result<void> UcmaFile::disconnect(const rdma_ucm_disconnect& request, Call&) {
    const auto id = port_.find(*this, request.id);
    return id ? uverbs::execute(*host_, RDMA_USER_CM_CMD_DISCONNECT, kernels(request, **id))
              : fail(id.error());
}

Result<void> UcmaFile::notify(const rdma_ucm_notify& request, Call&) {
    const auto id = port_.find(*this, request.id);
    if (!id) {
        return fail(id.error());
    }
    if (request.event != IBV_EVENT_COMM_EST) {
        return fail(EINVAL);
    }
    return uverbs::execute(*host_, RDMA_USER_CM_CMD_NOTIFY, kernels(request, **id));
}

// The kernel keeps events until they are taken, as many as there are.  Commands that a guest can
// repeat for one id are charged with their event until the guest has taken as many, or all.  What
// else an id has of events is bounded by its life.
Result<Charge> UcmaFile::charge_event() {
    return rnic::charge(port_.budgets().connection_events);
}

bool UcmaFile::readable() const {
    pollfd file{.fd = host_->fd(), .events = POLLIN, .revents = 0};
    return ::poll(&file, 1, 0) > 0;
}

Result<void> UcmaFile::get_event(const rdma_ucm_get_event&, Call& call) {
    for (unsigned i = 0; i < kMaxHiddenEvents; ++i) {
        auto event = uverbs::get_event(*host_);
        if (!event) {
            events_.clear();
            port_.watch().arm(host_->fd(), init_.handle);
            return fail(event.error());
        }
        if (!events_.empty()) {
            events_.pop_back();
        }
        if (!translate(*event)) {
            continue;
        }
        call.answer.more_events = readable();
        if (!call.answer.more_events) {
            port_.watch().arm(host_->fd(), init_.handle);
        }
        answer(call, *event);
        return {};
    }
    port_.watch().arm(host_->fd(), init_.handle);
    return fail(EAGAIN);
}

bool UcmaFile::translate(rdma_ucm_event_resp& event) {
    const UcmaPort::Subject* subject = port_.subject(event.uid);
    const CmEventType type = cm_event_type(event.event);
    if (type == CmEventType::kConnectRequest) {
        if (subject == nullptr || !admit(event.id, subject->id)) {
            return false;
        }
        event.uid = port_.find(subject->id)->uid;
        return true;
    }
    if (subject == nullptr) {
        return false;
    }
    UcmaId& id = *port_.find(subject->id);
    if (subject->multicast) {
        event.uid = *subject->multicast;
    } else if (event.id != id.kernel_id) {
        // The event is of a kernel's listener at another address of the guest.  The guest is told
        // of the first one's event.
        ++id.hidden_events;
        return false;
    } else {
        event.uid = id.uid;
        event.id = subject->id;
    }
    // Only events of the datagram service have such an address, and not all of them do.
    if (id.qp_type == rnic::QpType::kUd && event.param.ud.ah_attr.is_global != 0 &&
        !to_guest(id, event.param.ud.ah_attr)) {
        event.param.ud.ah_attr = {};
    }
    return true;
}

// Finds out what the daemon has to know of a request for a connection.  An error when the guest may
// not talk to the peer.
Result<UcmaId> UcmaFile::requested(uint32_t request, const UcmaId& listener) {
    auto charge = rnic::charge(port_.budgets().connections);
    if (!charge) {
        return fail(charge.error());
    }
    rdma_ucm_query query{};
    query.id = request;
    const auto route = ask<rdma_ucm_query_route_resp>(*host_, RDMA_USER_CM_CMD_QUERY_ROUTE, query);
    if (!route) {
        return fail(route.error());
    }
    const auto local = get(route->src_addr);
    const auto remote = get(route->dst_addr);
    if (!local || !remote) {
        return fail(EAFNOSUPPORT);
    }
    // Packets go where the path says.  The address is what the peer says.
    rnic::Gid peer = remote->ip;
    if (route->num_paths != 0) {
        std::ranges::copy(route->ib_route[0].dgid, peer.begin());
    }
    const auto place = std::ranges::find(listener.places, local->ip, &ListenPlace::underlay);
    if (place == listener.places.end() || is_zero(place->guest)) {
        port_.log().warn(
            "{}: a connection from {} to {} is rejected: the guest has no address there",
            port_.guest(), to_string(peer), to_string(local->ip));
        return fail(EADDRNOTAVAIL);
    }
    const auto names =
        port_.addresses().names_of_request({peer, remote->port, listener.port_space}, place->guest);
    if (!names) {
        return fail(names.error());
    }
    UcmaId id;
    id.charge = std::move(*charge);
    id.file = listener.file;
    id.kernel_id = request;
    id.port_space = listener.port_space;
    id.qp_type = listener.qp_type;
    id.local = socket_address(names->destination, 0);
    id.remote = socket_address(names->source, 0);
    id.underlay_local = local->ip;
    id.underlay_remote = peer;
    return id;
}

bool UcmaFile::admit(uint32_t request, uint32_t listener) {
    UcmaId& listening = *port_.find(listener);
    auto id = requested(request, listening);
    if (id) {
        port_.insert(request, std::move(*id));
        return true;
    }
    ++listening.hidden_events;
    rdma_ucm_reject reject{};
    reject.id = request;
    (void)uverbs::execute(*host_, RDMA_USER_CM_CMD_REJECT, reject);
    (void)destroy(request);
    return false;
}

}  // namespace vrdma::uverbs
