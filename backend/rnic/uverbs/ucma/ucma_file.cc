// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/ucma/ucma_file.h"

#include <rdma/ib_user_ioctl_verbs.h>

#include <algorithm>

#include "rnic/uverbs/kernel/rdma_cm.h"
#include "rnic/uverbs/ucma/ucma_port.h"
#include "rnic/verbs_abi.h"

namespace vrdma::uverbs {
namespace {

// Whether a guest may choose this type with RDMA_PS_IB.
constexpr bool forwarded(uint8_t qp_type) {
    switch (rnic::QpType{qp_type}) {
        case rnic::QpType::kRc:
        case rnic::QpType::kUc:
        case rnic::QpType::kUd:
        case rnic::QpType::kXrcInitiator:
        case rnic::QpType::kXrcTarget:
            return true;
        default:
            return false;
    }
}

// The queue pair type of a new id, as the kernel finds it (ucma_get_qp_type() of Linux).
Result<rnic::QpType> qp_type_of(const rdma_ucm_create_id& request) {
    switch (request.ps) {
        case RDMA_PS_TCP:
            return rnic::QpType::kRc;
        case RDMA_PS_UDP:
        case RDMA_PS_IPOIB:
            return rnic::QpType::kUd;
        case RDMA_PS_IB:
            return forwarded(request.qp_type) ? Result<rnic::QpType>(rnic::QpType{request.qp_type})
                                              : fail(EOPNOTSUPP);
        default:
            return fail(EINVAL);
    }
}

}  // namespace

struct UcmaFile::Command {
    uint32_t number;
    size_t request;   // the fewest bytes that it has
    size_t response;  // the fewest bytes of room that it needs
    Result<void> (*call)(UcmaFile& file, std::span<const std::byte> in, Call& call);
};

// Calls a method with its structure.  Bytes behind the structure are left for the method, and
// fields at the end that an older library does not have are zero, as with the kernel.
template <auto Method, typename Request>
Result<void> UcmaFile::call(UcmaFile& file, std::span<const std::byte> in, Call& call) {
    Request request{};
    const size_t length = std::min(in.size(), sizeof(request));
    std::memcpy(&request, in.data(), length);
    call.rest = in.subspan(length);
    return (file.*Method)(request, call);
}

template <auto Method, typename Request>
constexpr UcmaFile::Command UcmaFile::command(uint32_t number,
                                              Result<void> (UcmaFile::*)(const Request&, Call&),
                                              size_t response, size_t request) {
    return {number, request, response, &UcmaFile::call<Method, Request>};
}

const UcmaFile::Command* UcmaFile::find_command(uint32_t number) {
// NOLINTBEGIN(bugprone-macro-parentheses): a member's name takes none
#define UCMA_COMMAND(number, method, ...)                 \
    command<&UcmaFile::method>(RDMA_USER_CM_CMD_##number, \
                               &UcmaFile::method __VA_OPT__(, ) __VA_ARGS__)
    // NOLINTEND(bugprone-macro-parentheses)

    // The lengths are those that drivers/infiniband/core/ucma.c of Linux demands.
    static constexpr Command kCommands[] = {
        UCMA_COMMAND(CREATE_ID, create_id, sizeof(rdma_ucm_create_id_resp)),
        UCMA_COMMAND(DESTROY_ID, destroy_id, sizeof(rdma_ucm_destroy_id_resp)),
        UCMA_COMMAND(BIND_IP, bind_ip),
        UCMA_COMMAND(RESOLVE_IP, resolve_ip),
        UCMA_COMMAND(RESOLVE_ROUTE, resolve_route),
        UCMA_COMMAND(QUERY_ROUTE, query_route, offsetof(rdma_ucm_query_route_resp, ibdev_index)),
        UCMA_COMMAND(CONNECT, connect, 0, offsetof(rdma_ucm_connect, ece)),
        UCMA_COMMAND(LISTEN, listen),
        UCMA_COMMAND(ACCEPT, accept, 0, offsetof(rdma_ucm_accept, ece)),
        UCMA_COMMAND(REJECT, reject),
        UCMA_COMMAND(DISCONNECT, disconnect),
        UCMA_COMMAND(INIT_QP_ATTR, init_qp_attr, sizeof(ib_uverbs_qp_attr)),
        UCMA_COMMAND(GET_EVENT, get_event, offsetof(rdma_ucm_event_resp, reserved)),
        UCMA_COMMAND(SET_OPTION, set_option),
        UCMA_COMMAND(NOTIFY, notify),
        UCMA_COMMAND(JOIN_IP_MCAST, join_ip_mcast, sizeof(rdma_ucm_create_id_resp)),
        UCMA_COMMAND(LEAVE_MCAST, leave_mcast, sizeof(rdma_ucm_destroy_id_resp)),
        UCMA_COMMAND(MIGRATE_ID, migrate_id),
        UCMA_COMMAND(QUERY, query),
        UCMA_COMMAND(BIND, bind),
        UCMA_COMMAND(RESOLVE_ADDR, resolve_addr),
        UCMA_COMMAND(JOIN_MCAST, join_mcast, sizeof(rdma_ucm_create_id_resp)),
    };
#undef UCMA_COMMAND
    const auto* found = std::ranges::find(kCommands, number, &Command::number);
    return found == std::end(kCommands) ? nullptr : found;
}

UcmaFile::UcmaFile(UcmaPort& port, std::unique_ptr<RdmaCmFile> host, const rnic::UcmaFileInit& init)
    : port_(port), host_(std::move(host)), init_(init) {}

UcmaFile::~UcmaFile() {
    port_.watch().remove(host_->fd(), init_.handle);
    port_.erase_all(*this);
    // The file is the predecessor's as well, until the RNIC goes on.
    if (port_.stands_still()) {
        host_->leave_open();
    }
}

Result<rnic::UcmaAnswer> UcmaFile::execute(uint32_t number, std::span<const std::byte> in,
                                           std::span<std::byte> out, rnic::UcmaFile* other) {
    const Command* command = find_command(number);
    if (command == nullptr) {
        return fail(EOPNOTSUPP);
    }
    if (in.size() < command->request) {
        return fail(EINVAL);
    }
    if (out.size() < command->response) {
        return fail(ENOSPC);
    }
    Call call{.rest = {}, .out = out, .other = static_cast<UcmaFile*>(other)};
    if (auto done = command->call(*this, in, call); !done) {
        return fail(done.error());
    }
    return call.answer;
}

Result<void> UcmaFile::create_id(const rdma_ucm_create_id& request, Call& call) {
    const auto qp_type = qp_type_of(request);
    if (!qp_type) {
        return fail(qp_type.error());
    }
    auto charge = rnic::charge(port_.budgets().connections);
    if (!charge) {
        return fail(charge.error());
    }
    // As with the kernel, events of an id without a uid are nobody's.
    const uint64_t key = request.uid == 0 ? 0 : port_.new_key({});
    rdma_ucm_create_id kernel{};
    kernel.uid = key;
    kernel.ps = request.ps;
    kernel.qp_type = request.qp_type;
    const auto made = ask<rdma_ucm_create_id_resp>(*host_, RDMA_USER_CM_CMD_CREATE_ID, kernel);
    if (!made) {
        port_.forget_key(key);
        return fail(made.error());
    }
    UcmaId& id = port_.insert(made->id, {});
    id.charge = std::move(*charge);
    id.file = this;
    id.kernel_id = made->id;
    id.port_space = request.ps;
    id.qp_type = *qp_type;
    id.uid = request.uid;
    id.key = key;
    port_.set_subject(key, {.id = made->id, .multicast = {}});
    answer(call, *made);
    return {};
}

Result<uint32_t> UcmaFile::destroy(uint32_t id) {
    rdma_ucm_destroy_id request{};
    request.id = id;
    const auto gone = ask<rdma_ucm_destroy_id_resp>(*host_, RDMA_USER_CM_CMD_DESTROY_ID, request);
    if (!gone) {
        return fail(gone.error());
    }
    return gone->events_reported;
}

Result<void> UcmaFile::destroy_id(const rdma_ucm_destroy_id& request, Call& call) {
    const auto id = port_.find(*this, request.id);
    if (!id) {
        return fail(id.error());
    }
    uint32_t events = (*id)->past_events;
    for (const UcmaId::Other& other : (*id)->others) {
        events += destroy(other.id).value_or(0);
    }
    for (const uint32_t retired : (*id)->retired) {
        events += destroy(retired).value_or(0);
    }
    const auto gone = destroy((*id)->kernel_id);
    const uint32_t hidden = (*id)->hidden_events;
    port_.erase(request.id);
    if (!gone) {
        return fail(gone.error());
    }
    answer(call, rdma_ucm_destroy_id_resp{.events_reported = events + *gone - hidden});
    return {};
}

Result<void> UcmaFile::migrate_id(const rdma_ucm_migrate_id& request, Call& call) {
    if (call.other == nullptr) {
        return fail(EINVAL);
    }
    const auto id = port_.find(*call.other, request.id);
    if (!id) {
        return fail(id.error());
    }
    const auto migrate = [&](uint32_t kernel_id) {
        rdma_ucm_migrate_id kernel{};
        kernel.id = kernel_id;
        kernel.fd = static_cast<uint32_t>(call.other->host_->fd());
        return ask<rdma_ucm_migrate_resp>(*host_, RDMA_USER_CM_CMD_MIGRATE_ID, kernel);
    };
    const auto migrated = migrate((*id)->kernel_id);
    if (!migrated) {
        return fail(migrated.error());
    }
    uint32_t events = migrated->events_reported + (*id)->past_events;
    for (const UcmaId::Other& other : (*id)->others) {
        if (const auto moved = migrate(other.id)) {
            events += moved->events_reported;
        }
    }
    for (const uint32_t retired : (*id)->retired) {
        (void)migrate(retired);
    }
    (*id)->file = this;
    // The kernel wakes nobody for the events that came along with the id.
    port_.watch().arm(host_->fd(), init_.handle);
    answer(call, rdma_ucm_migrate_resp{.events_reported = events - (*id)->hidden_events});
    return {};
}

}  // namespace vrdma::uverbs
