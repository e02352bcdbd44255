// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Connections of an iWARP RNIC, whose queue pairs nothing else can connect.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "rnic/rnic.h"

namespace vrdma::rnic {

// A TCP endpoint as the guest names it.
struct Endpoint {
    Gid ip{};  // IPv4 addresses are mapped, ::ffff:a.b.c.d
    uint16_t port = 0;
    auto operator<=>(const Endpoint&) const = default;
};

struct IwCmParameters {
    uint16_t ird = 0;  // RDMA READs that may be inbound at a time
    uint16_t ord = 0;  // RDMA READs that may be outbound at a time
    std::vector<std::byte> private_data;
};

struct IwCmEvent {
    enum class Type {
        kRequest,      // somebody wants to connect to the listener `id`
        kReply,        // the answer to connect(); the last event if it has a status
        kEstablished,  // what was accepted is there
        kClosed,       // the last event
    };
    Type type{};
    uint32_t id = 0;
    uint32_t request = 0;  // kRequest: for accept() or reject()
    Errno status{};        // kReply
    Endpoint local;        // kRequest
    Endpoint remote;       // kRequest
    IwCmParameters parameters;
};

// The connections of one port.  Ids are the caller's: they name a connection or a listener
// until its last event has been taken, or close().  One thread at a time, as with the verbs
// of the port.  AsyncEventType::kIwCm announces events, once for all that are there when they are
// taken.
class IwCm {
  public:
    virtual ~IwCm() = default;

    // Begins to connect; kReply says what came of it.
    virtual Result<void> connect(uint32_t id, const QueuePair& qp, const Endpoint& local,
                                 const Endpoint& remote, IwCmParameters parameters) = 0;

    // Listens at an address of the guest, or (unspecified) at all that it has.
    virtual Result<void> listen(uint32_t id, const Endpoint& local, uint32_t backlog,
                                bool ipv6_only) = 0;

    // Takes the request out, whether or not that succeeds.
    virtual Result<void> accept(uint32_t request, uint32_t id, const QueuePair& qp,
                                const IwCmParameters& parameters) = 0;
    virtual Result<void> reject(uint32_t request, const std::vector<std::byte>& private_data) = 0;

    // Drops a connection, or ends a listener.  No event of it is left.
    virtual void close(uint32_t id) = 0;

    virtual std::optional<IwCmEvent> next_event() = 0;
};

}  // namespace vrdma::rnic
