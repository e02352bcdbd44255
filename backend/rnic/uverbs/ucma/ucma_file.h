// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <rdma/rdma_user_cm.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "budget.h"
#include "rnic/ucma.h"
#include "rnic/uverbs/kernel/rdma_cm.h"
#include "rnic/uverbs/ucma/ucma_id.h"
#include "state/uverbs.pb.h"

namespace vrdma::uverbs {

class UcmaPort;

// A guest's file of the connection manager's user interface, in front of one of the host's.  The
// daemon checks and translates addresses, queue pair numbers and GID indexes; everything else is
// between the guest and the kernel.
class UcmaFile final : public rnic::UcmaFile {
  public:
    // The port watches `host` already.
    UcmaFile(UcmaPort& port, std::unique_ptr<RdmaCmFile> host, const rnic::UcmaFileInit& init);
    ~UcmaFile() override;

    Result<rnic::UcmaAnswer> execute(uint32_t command, std::span<const std::byte> in,
                                     std::span<std::byte> out, rnic::UcmaFile* other) override;

    // Moves a listener to where the guest's addresses are now.
    void follow_addresses(UcmaId& what);

    Result<void> save(state::UcmaFile& saved, state::FilesToSend& files) const override;
    // Makes the ids that save() wrote, on a file that has none.  EINVAL for what no file has.
    Result<void> restore(const state::UverbsUcmaFile& saved);

  private:
    // A command without its structure.
    struct Call {
        std::span<const std::byte> rest;  // the guest's bytes behind the structure
        std::span<std::byte> out;
        UcmaFile* other = nullptr;
        rnic::UcmaAnswer answer{};
    };
    struct Command;
    static const Command* find_command(uint32_t number);
    template <auto Method, typename Request>
    static Result<void> call(UcmaFile& file, std::span<const std::byte> in, Call& call);
    template <auto Method, typename Request>
    static constexpr Command command(uint32_t number,
                                     Result<void> (UcmaFile::*)(const Request&, Call&),
                                     size_t response = 0, size_t request = sizeof(Request));

    // Copies as much of the response as the guest has room for.
    template <typename Response>
    static void answer(Call& call, const Response& response) {
        const size_t length = std::min(call.out.size(), sizeof(response));
        std::memcpy(call.out.data(), &response, length);
        call.answer.written = length;
    }

    // A command with the kernel's id in place of the guest's.
    template <typename Request>
    static Request kernels(Request request, const UcmaId& id) {
        request.id = id.kernel_id;
        return request;
    }

    // ucma_file.cc: ids
    Result<void> create_id(const rdma_ucm_create_id& request, Call& call);
    Result<void> destroy_id(const rdma_ucm_destroy_id& request, Call& call);
    // Destroys an id of the kernel's.  Returns how many events of the id were reported.
    Result<uint32_t> destroy(uint32_t id);
    Result<void> migrate_id(const rdma_ucm_migrate_id& request, Call& call);

    // ucma_options.cc
    Result<void> set_option(const rdma_ucm_set_option& request, Call& call);
    Result<void> set_kernel_option(uint32_t id, uint32_t level, uint32_t name,
                                   std::span<const std::byte> value);
    Result<void> set_id_option(UcmaId& id, const rdma_ucm_set_option& request,
                               std::span<const std::byte> value);
    Result<void> set_ib_path(const UcmaId& id, std::span<const std::byte> value);

    // ucma_addresses.cc
    Result<void> bind_ip(const rdma_ucm_bind_ip& request, Call& call);
    Result<void> bind(const rdma_ucm_bind& request, Call& call);
    Result<void> bind_id(uint32_t id, const SocketAddress& address);
    Result<void> resolve_ip(const rdma_ucm_resolve_ip& request, Call& call);
    Result<void> resolve_addr(const rdma_ucm_resolve_addr& request, Call& call);
    Result<void> resolve(uint32_t id, const std::optional<SocketAddress>& source,
                         const SocketAddress& destination, uint32_t timeout_ms);
    struct Path {
        rnic::Gid source{};  // the guest's
        rnic::Gid underlay_source{};
        rnic::Gid underlay_destination{};
        bool shared = false;  // others share the ports of the underlay source
    };
    Result<Path> path(const rnic::Gid& source, const rnic::Gid& destination);
    Result<Path> path_of(const UcmaId& id, const std::optional<SocketAddress>& source,
                         const SocketAddress& destination);

    // ucma_mcast.cc
    Result<void> join_ip_mcast(const rdma_ucm_join_ip_mcast& request, Call& call);
    Result<void> join_mcast(const rdma_ucm_join_mcast& request, Call& call);
    Result<void> join(const rdma_ucm_join_mcast& request, const SocketAddress& group, Call& call);
    Result<void> leave_mcast(const rdma_ucm_destroy_id& request, Call& call);

    // ucma_listen.cc
    Result<void> listen(const rdma_ucm_listen& request, Call& call);
    Result<uint16_t> port_of(uint32_t id);
    Result<void> listen_at_others(UcmaId& what, uint32_t backlog);
    Result<uint32_t> make_alike(const UcmaId& id);
    Result<uint32_t> listen_at(const UcmaId& id, const ListenPlace& place, uint16_t port,
                               uint32_t backlog);
    void destroy_others(UcmaId& what);

    // ucma_state.cc
    Result<void> restore_id(const state::UverbsUcmaId& saved);
    Result<void> restore_groups(const state::UverbsUcmaId& saved);

    // ucma_connections.cc
    Result<void> resolve_route(const rdma_ucm_resolve_route& request, Call& call);
    Result<void> connect(const rdma_ucm_connect& request, Call& call);
    Result<void> accept(const rdma_ucm_accept& request, Call& call);
    Result<void> reject(const rdma_ucm_reject& request, Call& call);
    Result<void> disconnect(const rdma_ucm_disconnect& request, Call& call);
    Result<void> notify(const rdma_ucm_notify& request, Call& call);
    Result<void> get_event(const rdma_ucm_get_event& request, Call& call);
    // False for an event that the guest does not get.
    bool translate(rdma_ucm_event_resp& event);
    bool admit(uint32_t request, uint32_t listener);
    Result<UcmaId> requested(uint32_t request, const UcmaId& listener);
    // EDQUOT when too many events of the guest wait.
    Result<Charge> charge_event();
    bool readable() const;

    // ucma_answers.cc
    Result<void> query_route(const rdma_ucm_query& request, Call& call);
    Result<void> query(const rdma_ucm_query& request, Call& call);
    Result<void> query_addr(const UcmaId& id, const rdma_ucm_query& request, Call& call);
    Result<void> query_path(const UcmaId& id, const rdma_ucm_query& request, Call& call);
    Result<void> query_gid(const UcmaId& id, const rdma_ucm_query& request, Call& call);
    Result<void> init_qp_attr(const rdma_ucm_init_qp_attr& request, Call& call);
    template <typename Response>
    void put_device(const UcmaId& id, Response& response) const;
    Result<void> to_guest(const UcmaId& id, ib_uverbs_ah_attr& attributes);

    UcmaPort& port_;
    const std::unique_ptr<RdmaCmFile> host_;
    const rnic::UcmaFileInit init_;
    std::vector<Charge> events_;  // that may be waiting in the kernel
};

}  // namespace vrdma::uverbs
