// SPDX-License-Identifier: Apache-2.0
#include "rnic/uverbs/cm/cm_id.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "rnic/uverbs/gid.h"

namespace vrdma::uverbs {
namespace {

constexpr uint32_t kResolveTimeoutMs = 4000;
constexpr size_t kIpv4Offset = 12;  // of ::ffff:a.b.c.d, RFC 4291, 2.5.5.2

// `response` is 0 bytes for commands without one.
template <typename Request>
Result<void> execute(RdmaCmFile& file, uint32_t command, const Request& request,
                     size_t response = 0) {
    std::array<std::byte, sizeof(rdma_ucm_cmd_hdr) + sizeof(Request)> bytes;
    const rdma_ucm_cmd_hdr header{
        .cmd = command, .in = sizeof(Request), .out = static_cast<uint16_t>(response)};
    std::memcpy(bytes.data(), &header, sizeof(header));
    std::memcpy(bytes.data() + sizeof(header), &request, sizeof(request));
    return file.execute(bytes);
}

template <typename Response>
uint64_t address_of(Response& response) {
    return reinterpret_cast<uintptr_t>(&response);
}

// The size of the address, as the kernel wants to have it beside it.
uint16_t put(const rnic::Endpoint& endpoint, __kernel_sockaddr_storage& storage) {
    if (scope_of(endpoint.ip) == GidScope::kIpv4) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(endpoint.port);
        std::memcpy(&address.sin_addr, endpoint.ip.data() + kIpv4Offset, sizeof(in_addr));
        std::memcpy(&storage, &address, sizeof(address));
        return sizeof(address);
    }
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(endpoint.port);
    std::memcpy(&address.sin6_addr, endpoint.ip.data(), sizeof(in6_addr));
    std::memcpy(&storage, &address, sizeof(address));
    return sizeof(address);
}

rnic::Endpoint get(const __kernel_sockaddr_storage& storage) {
    rnic::Endpoint endpoint;
    sockaddr family;
    std::memcpy(&family, &storage, sizeof(family));
    if (family.sa_family == AF_INET) {
        sockaddr_in address;
        std::memcpy(&address, &storage, sizeof(address));
        endpoint.ip[10] = endpoint.ip[11] = 0xff;
        std::memcpy(endpoint.ip.data() + kIpv4Offset, &address.sin_addr, sizeof(in_addr));
        endpoint.port = ntohs(address.sin_port);
    } else {
        sockaddr_in6 address;
        std::memcpy(&address, &storage, sizeof(address));
        std::memcpy(endpoint.ip.data(), &address.sin6_addr, sizeof(in6_addr));
        endpoint.port = ntohs(address.sin6_port);
    }
    return endpoint;
}

// Also drivers that can more take no more than 8 bits through this interface.
uint8_t depth(uint16_t value) {
    return static_cast<uint8_t>(std::min<uint16_t>(value, UINT8_MAX));
}

template <typename Request>
uint8_t put_private_data(Request& to, const std::vector<std::byte>& data) {
    const size_t length = std::min<size_t>(data.size(), UINT8_MAX);
    std::memcpy(to.private_data, data.data(), length);
    return static_cast<uint8_t>(length);
}

rdma_ucm_conn_param conn_param(uint32_t qp_num, const rnic::ConnectionParameters& parameters) {
    rdma_ucm_conn_param param{};
    param.qp_num = qp_num;
    param.private_data_len = put_private_data(param, parameters.private_data);
    param.responder_resources = depth(parameters.ird);
    param.initiator_depth = depth(parameters.ord);
    param.valid = 1;
    return param;
}

}  // namespace

Result<std::unique_ptr<CmId>> CmId::create(std::shared_ptr<RdmaCmFile> file, uint64_t uid) {
    rdma_ucm_create_id request{};
    rdma_ucm_create_id_resp response{};
    request.uid = uid;
    request.response = address_of(response);
    request.ps = RDMA_PS_TCP;
    if (auto made = execute(*file, RDMA_USER_CM_CMD_CREATE_ID, request, sizeof(response)); !made) {
        return fail(made.error());
    }
    return std::make_unique<CmId>(std::move(file), response.id);
}

CmId::~CmId() {
    rdma_ucm_destroy_id request{};
    rdma_ucm_destroy_id_resp response{};
    request.response = address_of(response);
    request.id = id_;
    // It cannot fail but for an id that is gone: the kernel destroys those of an RNIC that is
    // removed.
    (void)execute(*file_, RDMA_USER_CM_CMD_DESTROY_ID, request, sizeof(response));
}

Result<void> CmId::bind(const rnic::Endpoint& local) {
    rdma_ucm_bind request{};
    request.id = id_;
    request.addr_size = put(local, request.addr);
    return execute(*file_, RDMA_USER_CM_CMD_BIND, request);
}

Result<void> CmId::resolve_address(const rnic::Endpoint& local, const rnic::Endpoint& remote) {
    rdma_ucm_resolve_addr request{};
    request.id = id_;
    request.timeout_ms = kResolveTimeoutMs;
    request.src_size = put({local.ip, 0}, request.src_addr);
    request.dst_size = put(remote, request.dst_addr);
    return execute(*file_, RDMA_USER_CM_CMD_RESOLVE_ADDR, request);
}

Result<void> CmId::resolve_route() {
    rdma_ucm_resolve_route request{};
    request.id = id_;
    request.timeout_ms = kResolveTimeoutMs;
    return execute(*file_, RDMA_USER_CM_CMD_RESOLVE_ROUTE, request);
}

Result<void> CmId::connect(uint32_t qp_num, const rnic::ConnectionParameters& parameters) {
    rdma_ucm_connect request{};
    request.conn_param = conn_param(qp_num, parameters);
    request.id = id_;
    return execute(*file_, RDMA_USER_CM_CMD_CONNECT, request);
}

Result<void> CmId::listen(uint32_t backlog) {
    return execute(*file_, RDMA_USER_CM_CMD_LISTEN, rdma_ucm_listen{.id = id_, .backlog = backlog});
}

Result<void> CmId::accept(uint64_t uid, uint32_t qp_num,
                          const rnic::ConnectionParameters& parameters) {
    rdma_ucm_accept request{};
    request.uid = uid;
    request.conn_param = conn_param(qp_num, parameters);
    request.id = id_;
    return execute(*file_, RDMA_USER_CM_CMD_ACCEPT, request);
}

Result<void> CmId::reject(const std::vector<std::byte>& private_data) {
    rdma_ucm_reject request{};
    request.id = id_;
    request.private_data_len = put_private_data(request, private_data);
    return execute(*file_, RDMA_USER_CM_CMD_REJECT, request);
}

Result<CmId::Endpoints> CmId::endpoints() {
    rdma_ucm_query request{};
    rdma_ucm_query_addr_resp response{};
    request.response = address_of(response);
    request.id = id_;
    request.option = RDMA_USER_CM_QUERY_ADDR;
    if (auto asked = execute(*file_, RDMA_USER_CM_CMD_QUERY, request, sizeof(response)); !asked) {
        return fail(asked.error());
    }
    return Endpoints{get(response.src_addr), get(response.dst_addr)};
}

Result<rdma_ucm_event_resp> get_event(RdmaCmFile& file) {
    rdma_ucm_get_event request{};
    rdma_ucm_event_resp event{};
    request.response = address_of(event);
    if (auto got = execute(file, RDMA_USER_CM_CMD_GET_EVENT, request, sizeof(event)); !got) {
        return fail(got.error());
    }
    return event;
}

}  // namespace vrdma::uverbs
