// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/iw_cm/iw_cm_id.h"

#include <algorithm>

#include "rnic/uverbs/addressing/socket_address.h"
#include "rnic/uverbs/kernel/rdma_cm.h"

namespace vrdma::uverbs {
namespace {

constexpr uint32_t kResolveTimeoutMs = 4000;

uint16_t put(const rnic::Endpoint& endpoint, uint32_t link, __kernel_sockaddr_storage& storage) {
    return put(socket_address(endpoint.ip, endpoint.port, link), storage);
}

Result<rnic::Endpoint> endpoint_in(const __kernel_sockaddr_storage& storage) {
    const auto address = get(storage);
    if (!address) {
        return fail(EAFNOSUPPORT);
    }
    return rnic::Endpoint{address->ip, address->port};
}

// Through this interface the kernel takes 8 bits, also for drivers that can do more.
uint8_t depth(uint16_t value) {
    return static_cast<uint8_t>(std::min<uint16_t>(value, UINT8_MAX));
}

template <typename Request>
uint8_t put_private_data(Request& to, const std::vector<std::byte>& data) {
    const size_t length = std::min<size_t>(data.size(), UINT8_MAX);
    std::ranges::copy_n(data.begin(), static_cast<ptrdiff_t>(length),
                        reinterpret_cast<std::byte*>(to.private_data));
    return static_cast<uint8_t>(length);
}

rdma_ucm_conn_param conn_param(uint32_t qp_num, const rnic::IwCmParameters& parameters) {
    rdma_ucm_conn_param param{};
    param.qp_num = qp_num;
    param.private_data_len = put_private_data(param, parameters.private_data);
    param.responder_resources = depth(parameters.ird);
    param.initiator_depth = depth(parameters.ord);
    param.valid = 1;
    return param;
}

}  // namespace

Result<std::unique_ptr<IwCmId>> IwCmId::create(std::shared_ptr<RdmaCmFile> file, uint64_t uid) {
    rdma_ucm_create_id request{};
    request.uid = uid;
    request.ps = RDMA_PS_TCP;
    const auto made = ask<rdma_ucm_create_id_resp>(*file, RDMA_USER_CM_CMD_CREATE_ID, request);
    if (!made) {
        return fail(made.error());
    }
    return std::make_unique<IwCmId>(std::move(file), made->id);
}

IwCmId::~IwCmId() {
    rdma_ucm_destroy_id request{};
    request.id = id_;
    // The command fails only for an id that is gone: the kernel destroys the ids of an RNIC that is
    // removed.
    (void)ask<rdma_ucm_destroy_id_resp>(*file_, RDMA_USER_CM_CMD_DESTROY_ID, request);
}

Result<void> IwCmId::bind(const rnic::Endpoint& local, uint32_t link) {
    rdma_ucm_bind request{};
    request.id = id_;
    request.addr_size = put(local, link, request.addr);
    return execute(*file_, RDMA_USER_CM_CMD_BIND, request);
}

Result<void> IwCmId::resolve_address(const rnic::Endpoint& local, const rnic::Endpoint& remote,
                                     uint32_t link) {
    rdma_ucm_resolve_addr request{};
    request.id = id_;
    request.timeout_ms = kResolveTimeoutMs;
    request.src_size = put({local.ip, 0}, link, request.src_addr);
    request.dst_size = put(remote, link, request.dst_addr);
    return execute(*file_, RDMA_USER_CM_CMD_RESOLVE_ADDR, request);
}

Result<void> IwCmId::resolve_route() {
    rdma_ucm_resolve_route request{};
    request.id = id_;
    request.timeout_ms = kResolveTimeoutMs;
    return execute(*file_, RDMA_USER_CM_CMD_RESOLVE_ROUTE, request);
}

Result<void> IwCmId::connect(uint32_t qp_num, const rnic::IwCmParameters& parameters) {
    rdma_ucm_connect request{};
    request.conn_param = conn_param(qp_num, parameters);
    request.id = id_;
    return execute(*file_, RDMA_USER_CM_CMD_CONNECT, request);
}

Result<void> IwCmId::listen(uint32_t backlog) {
    return execute(*file_, RDMA_USER_CM_CMD_LISTEN, rdma_ucm_listen{.id = id_, .backlog = backlog});
}

Result<void> IwCmId::accept(uint64_t uid, uint32_t qp_num, const rnic::IwCmParameters& parameters) {
    rdma_ucm_accept request{};
    request.uid = uid;
    request.conn_param = conn_param(qp_num, parameters);
    request.id = id_;
    return execute(*file_, RDMA_USER_CM_CMD_ACCEPT, request);
}

Result<void> IwCmId::reject(const std::vector<std::byte>& private_data) {
    rdma_ucm_reject request{};
    request.id = id_;
    request.private_data_len = put_private_data(request, private_data);
    return execute(*file_, RDMA_USER_CM_CMD_REJECT, request);
}

Result<IwCmId::Endpoints> IwCmId::endpoints() {
    rdma_ucm_query request{};
    request.id = id_;
    request.option = RDMA_USER_CM_QUERY_ADDR;
    const auto asked = ask<rdma_ucm_query_addr_resp>(*file_, RDMA_USER_CM_CMD_QUERY, request);
    if (!asked) {
        return fail(asked.error());
    }
    const auto local = endpoint_in(asked->src_addr);
    const auto remote = endpoint_in(asked->dst_addr);
    if (!local || !remote) {
        return fail(EAFNOSUPPORT);
    }
    return Endpoints{*local, *remote};
}

}  // namespace vrdma::uverbs
