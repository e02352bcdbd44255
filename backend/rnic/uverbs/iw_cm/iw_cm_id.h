// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <rdma/rdma_user_cm.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "result.h"
#include "rnic/iw_cm.h"
#include "rnic/uverbs/kernel/rdma_cm.h"

namespace vrdma::uverbs {

// A connection identifier of the kernel (struct rdma_cm_id): a connection, a listener, or a
// request.  Destroying the object destroys the identifier, which rejects the request or drops the
// connection.  Any thread.
class IwCmId {
  public:
    // The identifier's events carry `uid`, which is not 0: the kernel takes 0 to mean that nobody
    // listens.
    static Result<std::unique_ptr<IwCmId>> create(std::shared_ptr<RdmaCmFile> file, uint64_t uid);

    // An identifier that an event brought.
    IwCmId(std::shared_ptr<RdmaCmFile> file, uint32_t kernel_id)
        : file_(std::move(file)), id_(kernel_id) {}
    ~IwCmId();
    IwCmId(const IwCmId&) = delete;
    IwCmId& operator=(const IwCmId&) = delete;

    // `link` is the number of the netdev that link-local addresses belong to.
    Result<void> bind(const rnic::Endpoint& local, uint32_t link);
    // The port of `local` is not used.
    Result<void> resolve_address(const rnic::Endpoint& local, const rnic::Endpoint& remote,
                                 uint32_t link);
    Result<void> resolve_route();
    // Blocks until the peer has taken or refused the TCP connection.
    Result<void> connect(uint32_t qp_num, const rnic::IwCmParameters& parameters);
    Result<void> listen(uint32_t backlog);
    // The identifier's events carry `uid` from then on.
    Result<void> accept(uint64_t uid, uint32_t qp_num, const rnic::IwCmParameters& parameters);
    Result<void> reject(const std::vector<std::byte>& private_data);

    struct Endpoints {
        rnic::Endpoint local;
        rnic::Endpoint remote;
    };
    Result<Endpoints> endpoints();

  private:
    const std::shared_ptr<RdmaCmFile> file_;
    const uint32_t id_;
};

}  // namespace vrdma::uverbs
