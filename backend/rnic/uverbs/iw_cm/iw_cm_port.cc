// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/iw_cm/iw_cm_port.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <system_error>

#include "rnic/uverbs/kernel/cm_event_type.h"

namespace vrdma::uverbs {
namespace {

// How many events one waking handles: a flood of events must not keep commands from the mutex.
constexpr unsigned kMaxEvents = 64;

rnic::IwCmParameters parameters_of(const rdma_ucm_conn_param& param) {
    const auto data = std::as_bytes(std::span(param.private_data));
    // The kernel's names are those of the other end: drivers/infiniband/core/cma.c,
    // cma_iw_handler().
    return {.ird = param.initiator_depth,
            .ord = param.responder_resources,
            .private_data = {data.begin(), data.begin() + param.private_data_len}};
}

// An event of the connection `id`.
rnic::IwCmEvent event_of(rnic::IwCmEvent::Type type, uint32_t id, Errno status = {},
                         rnic::IwCmParameters parameters = {}) {
    return {.type = type,
            .id = id,
            .request = 0,
            .status = status,
            .local = {},
            .remote = {},
            .parameters = std::move(parameters)};
}

// The kernel reports a negative errno, or no reason; `otherwise` stands for the latter.
Errno status_of(const rdma_ucm_event_resp& event, int otherwise) {
    const auto status = static_cast<int32_t>(event.status);
    return Errno{status < 0 ? -status : otherwise};
}

}  // namespace

IwCmPort::IwCmPort(std::string guest, GuestAddresses& addresses, rnic::EventSink& sink,
                   std::unique_ptr<RdmaCmFile> file, std::shared_ptr<spdlog::logger> logger)
    : guest_(std::move(guest)),
      addresses_(addresses),
      file_(std::move(file)),
      log_(std::move(logger)),
      stop_(::eventfd(0, EFD_CLOEXEC)),
      queue_(sink) {
    if (!stop_) {
        throw std::system_error(errno, std::generic_category(), "connection manager");
    }
    thread_ = std::thread([this] { run(); });
}

IwCmPort::~IwCmPort() {
    ::eventfd_write(stop_.get(), 1);
    thread_.join();
}

void IwCmPort::set_budgets(const rnic::PortBudgets& budgets) {
    const std::lock_guard lock(mutex_);
    budgets_ = budgets;
    queue_.set_budget(budgets.connection_events);
}

// A connection has two events at most, so what waits is bounded by the budget and the connections
// that there are.
Result<Charge> IwCmPort::charge_id(uint32_t id) {
    if (connections_.contains(id) || listeners_.contains(id)) {
        return fail(EEXIST);
    }
    if (auto room = rnic::check(budgets_.connection_events); !room) {
        return fail(room.error());
    }
    return rnic::charge(budgets_.connections);
}

Result<void> IwCmPort::connect(uint32_t id, const rnic::QueuePair& qp, const rnic::Endpoint& local,
                               const rnic::Endpoint& remote, rnic::IwCmParameters parameters) {
    const auto path = addresses_.path(local.ip, remote.ip);
    if (!path) {
        return fail(path.error());
    }
    const std::lock_guard lock(mutex_);
    auto charge = charge_id(id);
    if (!charge) {
        return fail(charge.error());
    }
    const uint64_t uid = next_uid_++;
    auto cm_id = IwCmId::create(file_, uid);
    if (!cm_id) {
        return fail(cm_id.error());
    }
    if (auto begun = (*cm_id)->resolve_address({path->sgid, 0}, {path->dgid, remote.port},
                                               link_of(path->sgid));
        !begun) {
        log_.warn("{}: no connection from {} to {}: {}", guest_, to_string(path->sgid),
                  to_string(path->dgid), to_string(begun.error()));
        return begun;
    }
    std::shared_ptr<ConnectionNames::Entry> asking;
    // The kernel has bound the identifier by now.
    if (const auto bound = (*cm_id)->endpoints()) {
        asking = addresses_.remember({path->sgid, bound->local.port, RDMA_PS_TCP},
                                     {local.ip, remote.ip});
    }
    subjects_[uid] = {.id = id, .listener = false, .local = {}};
    connections_[id] = {.charge = std::move(*charge),
                        .uid = uid,
                        .cm_id = std::move(*cm_id),
                        .qp_num = qp.qp_num(),
                        .parameters = std::move(parameters),
                        .asking = std::move(asking),
                        .state = Connection::State::kConnecting};
    return {};
}

std::vector<ListenPlace> IwCmPort::places_of(const Listener& listener) {
    return listen_places(addresses_, socket_address(listener.local.ip, listener.local.port),
                         listener.ipv6_only);
}

Result<void> IwCmPort::check_port(const ListenPlace& place, uint16_t port) {
    if (is_hosts_port(place, port)) {
        log_.warn(
            "{}: the guest cannot listen at port {} of {}, which is the host's too; give the "
            "machine an address of its own ('mac' in its [[vm]], 'announce' in [rnic])",
            guest_, port, to_string(place.underlay));
        return fail(EACCES);
    }
    return {};
}

Result<IwCmPort::KernelListener> IwCmPort::listen_at(const ListenPlace& place,
                                                     const Listener& listener) {
    const uint16_t port = listener.local.port;
    if (auto allowed = check_port(place, port); !allowed) {
        return fail(allowed.error());
    }
    const uint32_t backlog = std::clamp(listener.backlog, 1U, kMaxBacklog);
    auto charge = rnic::charge(budgets_.connection_backlog, backlog);
    if (!charge) {
        return fail(charge.error());
    }
    const uint64_t uid = next_uid_++;
    auto cm_id = IwCmId::create(file_, uid);
    if (!cm_id) {
        return fail(cm_id.error());
    }
    auto listening = (*cm_id)->bind({place.underlay, port}, link_of(place.underlay));
    if (listening) {
        listening = (*cm_id)->listen(backlog);
    }
    if (!listening) {
        log_.warn("{}: the guest cannot listen at port {} of {}: {}{}", guest_, port,
                  to_string(place.underlay), to_string(listening.error()),
                  place.shared ? "; guests without an address of their own share its ports" : "");
        return fail(listening.error());
    }
    return KernelListener{place.underlay, uid, std::move(*charge), std::move(*cm_id)};
}

// Listens at the places where the listener is not yet.  One that is not needed may fail.
Result<void> IwCmPort::listen_at_all(uint32_t id, Listener& listener,
                                     const std::vector<ListenPlace>& places) {
    Result<void> done;
    for (const ListenPlace& place : places) {
        if (std::ranges::find(listener.places, place.underlay, &KernelListener::underlay) !=
            listener.places.end()) {
            continue;
        }
        auto listening = listen_at(place, listener);
        if (listening) {
            listener.places.push_back(std::move(*listening));
        } else if (place.needed) {
            done = fail(listening.error());
        }
    }
    name_places(id, listener, places);
    return done;
}

// Remembers by which of the guest's addresses each place is known.
void IwCmPort::name_places(uint32_t id, const Listener& listener,
                           const std::vector<ListenPlace>& places) {
    for (const KernelListener& at : listener.places) {
        const auto place = std::ranges::find(places, at.underlay, &ListenPlace::underlay);
        if (place != places.end()) {
            subjects_[at.uid] = {
                .id = id, .listener = true, .local = {place->guest, listener.local.port}};
        }
    }
}

Result<void> IwCmPort::listen(uint32_t id, const rnic::Endpoint& local, uint32_t backlog,
                              bool ipv6_only) {
    Listener listener{
        .charge = {}, .local = local, .ipv6_only = ipv6_only, .backlog = backlog, .places = {}};
    const auto places = places_of(listener);
    if (places.empty()) {
        return fail(EADDRNOTAVAIL);
    }
    const std::lock_guard lock(mutex_);
    auto charge = charge_id(id);
    if (!charge) {
        return fail(charge.error());
    }
    if (auto listening = listen_at_all(id, listener, places); !listening) {
        for (const KernelListener& place : listener.places) {
            subjects_.erase(place.uid);
        }
        return listening;
    }
    listener.charge = std::move(*charge);
    listeners_[id] = std::move(listener);
    return {};
}

void IwCmPort::follow_addresses() {
    const std::lock_guard lock(mutex_);
    for (auto& [id, listener] : listeners_) {
        const auto places = places_of(listener);
        std::erase_if(listener.places, [&](const KernelListener& at) {
            const bool gone =
                std::ranges::find(places, at.underlay, &ListenPlace::underlay) == places.end();
            if (gone) {
                subjects_.erase(at.uid);
            }
            return gone;
        });
        if (!places.empty()) {
            (void)listen_at_all(id, listener, places);  // the log says what failed
        }
    }
}

Result<void> IwCmPort::accept(uint32_t request, uint32_t id, const rnic::QueuePair& qp,
                              const rnic::IwCmParameters& parameters) {
    const std::lock_guard lock(mutex_);
    // Unless the accept succeeds, the destruction of the id rejects the request.
    std::shared_ptr<IwCmId> cm_id = queue_.take_request(request);
    if (cm_id == nullptr) {
        return fail(ECONNRESET);
    }
    auto charge = charge_id(id);
    if (!charge) {
        return fail(charge.error());
    }
    const uint64_t uid = next_uid_++;
    if (auto accepted = cm_id->accept(uid, qp.qp_num(), parameters); !accepted) {
        return accepted;
    }
    subjects_[uid] = {.id = id, .listener = false, .local = {}};
    connections_[id] = {.charge = std::move(*charge),
                        .uid = uid,
                        .cm_id = std::move(cm_id),
                        .qp_num = qp.qp_num(),
                        .parameters = {},
                        .asking = nullptr,
                        .state = Connection::State::kAccepting};
    return {};
}

Result<void> IwCmPort::reject(uint32_t request, const std::vector<std::byte>& private_data) {
    const std::lock_guard lock(mutex_);
    const auto cm_id = queue_.take_request(request);
    return cm_id == nullptr ? fail(ECONNRESET) : cm_id->reject(private_data);
}

void IwCmPort::close(uint32_t id) {
    const std::lock_guard lock(mutex_);
    forget_connection(id);
    if (const auto listener = listeners_.find(id); listener != listeners_.end()) {
        for (const KernelListener& place : listener->second.places) {
            subjects_.erase(place.uid);
        }
        listeners_.erase(listener);
    }
    queue_.forget(id);
}

std::optional<rnic::IwCmEvent> IwCmPort::next_event() {
    for (;;) {
        auto event = [&] {
            const std::lock_guard lock(mutex_);
            return queue_.next_event();
        }();
        if (!event || event->type != rnic::IwCmEvent::Type::kRequest || name_remote(*event)) {
            return event;
        }
        const std::lock_guard lock(mutex_);
        queue_.take_request(event->request);  // its destruction rejects it
    }
}

// Puts the guest's name of the peer in place of the peer's address in the underlay.  False, with a
// line in the log, when the guest may not talk to the peer.
bool IwCmPort::name_remote(rnic::IwCmEvent& request) {
    if (!addresses_.index_of(request.local.ip)) {
        log_.warn("{}: a connection from {} to port {} is rejected: the guest has no address",
                  guest_, to_string(request.remote.ip), request.local.port);
        return false;
    }
    const auto names = addresses_.names_of_request(
        {request.remote.ip, request.remote.port, RDMA_PS_TCP}, request.local.ip);
    if (names) {
        request.remote.ip = names->source;
        request.local.ip = names->destination;
    }
    return names.has_value();
}

// The number of the link that a link-local address is on; 0 for other addresses.
uint32_t IwCmPort::link_of(const rnic::Gid& underlay) const {
    return scope_of(underlay) == GidScope::kIpv6LinkLocal ? addresses_.netdev_index(underlay) : 0;
}

void IwCmPort::run() {
    for (;;) {
        std::array<pollfd, 2> files{{
            {.fd = stop_.get(), .events = POLLIN, .revents = 0},
            {.fd = file_->fd(), .events = POLLIN, .revents = 0},
        }};
        if (::poll(files.data(), files.size(), -1) < 0 && errno != EINTR) {
            return;
        }
        if (files[0].revents != 0) {
            return;
        }
        const std::lock_guard lock(mutex_);
        for (unsigned i = 0; i < kMaxEvents; ++i) {
            const auto event = get_event(*file_);
            if (!event) {
                break;
            }
            handle(*event);
        }
    }
}

void IwCmPort::handle(const rdma_ucm_event_resp& event) {
    if (cm_event_type(event.event) == CmEventType::kConnectRequest) {
        requested(event);
        return;
    }
    const auto subject = subjects_.find(event.uid);
    if (subject == subjects_.end() || subject->second.listener) {
        return;
    }
    const uint32_t id = subject->second.id;
    proceed(id, connections_.at(id), event);
}

void IwCmPort::requested(const rdma_ucm_event_resp& event) {
    auto cm_id = std::make_unique<IwCmId>(file_, event.id);
    const auto subject = subjects_.find(event.uid);
    if (subject == subjects_.end()) {
        return;
    }
    const auto endpoints = cm_id->endpoints();
    if (!endpoints) {
        return;
    }
    queue_.push_request(std::move(cm_id), {.type = rnic::IwCmEvent::Type::kRequest,
                                           .id = subject->second.id,
                                           .request = 0,
                                           .status = {},
                                           .local = subject->second.local,
                                           .remote = endpoints->remote,
                                           .parameters = parameters_of(event.param.conn)});
}

void IwCmPort::proceed(uint32_t id, Connection& connection, const rdma_ucm_event_resp& event) {
    using State = Connection::State;
    using Type = rnic::IwCmEvent::Type;
    const State before = connection.state;
    switch (cm_event_type(event.event)) {
        case CmEventType::kAddressResolved:
            if (auto begun = connection.cm_id->resolve_route(); !begun) {
                connect_failed(id, begun.error());
            }
            return;
        case CmEventType::kRouteResolved:
            begin_connect(id, connection);
            return;
        case CmEventType::kEstablished:
            connection.state = State::kEstablished;
            queue_.push(event_of(before == State::kConnecting ? Type::kReply : Type::kEstablished,
                                 id, Errno{}, parameters_of(event.param.conn)));
            return;
        case CmEventType::kAddressError:
        case CmEventType::kRouteError:
            connect_failed(id, status_of(event, EHOSTUNREACH));
            return;
        case CmEventType::kUnreachable:
            connect_failed(id, status_of(event, ETIMEDOUT));
            return;
        case CmEventType::kRejected:
        case CmEventType::kConnectError:
            connect_failed(id, status_of(event, ECONNREFUSED));
            return;
        case CmEventType::kDisconnected:
        case CmEventType::kDeviceRemoval:
            queue_.push(event_of(Type::kClosed, id), forget_connection(id));
            return;
        default:
            return;
    }
}

void IwCmPort::begin_connect(uint32_t id, Connection& connection) {
    const uint64_t uid = connection.uid;
    auto job = [this, id, uid, cm_id = connection.cm_id, qp_num = connection.qp_num,
                parameters = std::move(connection.parameters)] {
        const auto connected = cm_id->connect(qp_num, parameters);
        if (connected) {
            return;
        }
        const std::lock_guard lock(mutex_);
        // Nobody waits for what was closed meanwhile.
        if (subjects_.contains(uid)) {
            const bool late = connected.error() == Errno{EINTR};
            connect_failed(id, late ? Errno{ETIMEDOUT} : connected.error());
        }
    };
    try {
        connect_threads_.start(uid, std::move(job));
    } catch (const std::system_error& error) {
        connect_failed(id, Errno{error.code().value()});
    }
}

// Reports the last event of a connection that never was.
void IwCmPort::connect_failed(uint32_t id, Errno error) {
    queue_.push(event_of(rnic::IwCmEvent::Type::kReply, id, error), forget_connection(id));
}

Charge IwCmPort::forget_connection(uint32_t id) {
    const auto connection = connections_.find(id);
    if (connection == connections_.end()) {
        return {};
    }
    connect_threads_.interrupt(connection->second.uid);
    subjects_.erase(connection->second.uid);
    Charge charge = std::move(connection->second.charge);
    connections_.erase(connection);
    return charge;
}

}  // namespace vrdma::uverbs
