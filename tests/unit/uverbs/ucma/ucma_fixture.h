// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/rdma_user_cm.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "budget.h"
#include "rnic/ucma.h"
#include "unit/uverbs/fakes/fake_ucma.h"
#include "unit/uverbs/fixture.h"

namespace vrdma::uverbs {

// A guest with files of the connection manager's.  The guest has 10.77.0.1, whose underlay GID is
// 10.9.0.1.
class UcmaTest : public GuestTest {
  protected:
    static constexpr uint32_t kIbdevIndex = 4;
    static constexpr uint64_t kNodeGuid = 0x0250'56ff'fe00'0001;
    static constexpr uint16_t kTcpPort = 5000;

    UcmaTest() {
        open_rdma_cm = [this] { return cm.open(); };
    }
    void SetUp() override {
        GuestTest::SetUp();
        port->set_budgets({.connections = &connections,
                           .connection_backlog = &backlog,
                           .connection_events = &events});
        file = open_file(0);
    }

    std::unique_ptr<rnic::UcmaFile> open_file(uint32_t handle) {
        return port
            ->open_ucma_file({.handle = handle, .ibdev_index = kIbdevIndex, .node_guid = kNodeGuid})
            .value();
    }

    // Executes a command and returns its errno; 0 when it succeeds.
    template <typename Request>
    int run(rnic::UcmaFile& in, uint32_t command, const Request& request,
            rnic::UcmaFile* other = nullptr, size_t room = 1024) {
        out.assign(room, std::byte{});
        const auto done = in.execute(command, std::as_bytes(std::span(&request, 1)), out, other);
        answer = done.value_or(rnic::UcmaAnswer{});
        return done ? 0 : to_int(done.error());
    }
    template <typename Request>
    int run(uint32_t command, const Request& request) {
        return run(*file, command, request);
    }
    // The answer of the last command.
    template <typename Response>
    Response answered() const {
        Response response{};
        std::memcpy(&response, out.data(), std::min(answer.written, sizeof(response)));
        return response;
    }

    uint32_t create(uint64_t uid = 0xabc, uint16_t port_space = RDMA_PS_TCP) {
        rdma_ucm_create_id request{};
        request.uid = uid;
        request.ps = port_space;
        EXPECT_EQ(run(RDMA_USER_CM_CMD_CREATE_ID, request), 0);
        return answered<rdma_ucm_create_id_resp>().id;
    }
    int bind(uint32_t id, const std::string& address, uint16_t at = kTcpPort) {
        rdma_ucm_bind_ip request{};
        put(socket_address(gid(address), at), request.addr);
        request.id = id;
        return run(RDMA_USER_CM_CMD_BIND_IP, request);
    }
    int listen(uint32_t id, uint32_t backlog = 10) {
        return run(RDMA_USER_CM_CMD_LISTEN, rdma_ucm_listen{.id = id, .backlog = backlog});
    }
    uint32_t listening(const std::string& address, uint64_t uid = 0xabc) {
        const uint32_t id = create(uid);
        EXPECT_EQ(bind(id, address), 0);
        EXPECT_EQ(listen(id), 0);
        return id;
    }
    int resolve(uint32_t id, const std::string& destination, const std::string& source = "") {
        rdma_ucm_resolve_ip request{};
        if (!source.empty()) {
            put(socket_address(gid(source), 0), request.src_addr);
        }
        put(socket_address(gid(destination), 80), request.dst_addr);
        request.id = id;
        request.timeout_ms = 2000;
        return run(RDMA_USER_CM_CMD_RESOLVE_IP, request);
    }
    rdma_ucm_query_route_resp route(uint32_t id) {
        rdma_ucm_query request{};
        request.id = id;
        EXPECT_EQ(run(RDMA_USER_CM_CMD_QUERY_ROUTE, request), 0);
        return answered<rdma_ucm_query_route_resp>();
    }
    int destroy(uint32_t id) {
        rdma_ucm_destroy_id request{};
        request.id = id;
        return run(RDMA_USER_CM_CMD_DESTROY_ID, request);
    }
    int get_event() { return run(RDMA_USER_CM_CMD_GET_EVENT, rdma_ucm_get_event{}); }
    rdma_ucm_event_resp event() {
        EXPECT_EQ(get_event(), 0);
        return answered<rdma_ucm_event_resp>();
    }

    // The address as "10.77.0.1:5000", or "none" when it is not there.
    static std::string text(const sockaddr_in6& field) {
        const auto address = get(field);
        return address ? to_string(address->ip) + ":" + std::to_string(address->port) : "none";
    }
    static std::string text(const __kernel_sockaddr_storage& field) {
        const auto address = get(field);
        return address ? to_string(address->ip) + ":" + std::to_string(address->port) : "none";
    }
    template <typename Bytes>
    static std::string gid_text(const Bytes& bytes) {
        rnic::Gid value;
        std::memcpy(value.data(), std::data(bytes), value.size());
        return to_string(value);
    }

    FakeUcma cm;
    LimitLog limit_log{"alice", vrdma::test::silent_logger()};
    Budget connections{"connections", "ids", 20, limit_log};
    Budget backlog{"connection_backlog", "requests", 2048, limit_log};
    Budget events{"connection_events", "events", 10, limit_log};
    std::unique_ptr<rnic::UcmaFile> file;
    std::vector<std::byte> out;
    rnic::UcmaAnswer answer;
};

}  // namespace vrdma::uverbs
