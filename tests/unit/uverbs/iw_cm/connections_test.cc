// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A guest's connections over an iWARP RNIC, on a kernel whose network is always there.
#include <gmock/gmock.h>
#include <netinet/in.h>

#include <csignal>
#include <thread>

#include "budget.h"
#include "rnic/uverbs/iw_cm/iw_cm_port.h"
#include "unit/uverbs/fakes/fake_cm_events.h"
#include "unit/uverbs/fakes/fake_iw_cm.h"
#include "unit/uverbs/fixture.h"

namespace vrdma::uverbs {
namespace {

using Type = rnic::IwCmEvent::Type;

class FakeQp final : public rnic::QueuePair {
  public:
    uint32_t qp_num() const override { return 4321; }
    Result<void> modify(uint32_t, const rnic::QpAttributes&, rnic::Udata&) override { return {}; }
    Result<rnic::QpAttributes> query() override { return rnic::QpAttributes{}; }
};

std::vector<std::byte> bytes(std::vector<uint8_t> values) {
    const auto view = std::as_bytes(std::span(values));
    return {view.begin(), view.end()};
}

// The address as "10.9.0.1:7"; IPv4 only.
std::string text_of(const __kernel_sockaddr_storage& storage) {
    sockaddr_in address;
    std::memcpy(&address, &storage, sizeof(address));
    rnic::Gid gid{};
    gid[10] = gid[11] = 0xff;
    std::memcpy(gid.data() + 12, &address.sin_addr, 4);
    return to_string(gid) + ":" + std::to_string(ntohs(address.sin_port));
}

class ConnectionsTest : public testing::Test {
  protected:
    // The RNIC's netdev has 10.9.0.1 and, announced for alice, 10.9.0.11.
    ConnectionsTest() {
        EXPECT_TRUE(alice.add_gid(0, gid("10.77.0.1"), kRoceV2));
        EXPECT_TRUE(alice.add_gid(1, gid("10.9.0.11"), kRoceV2));
        EXPECT_TRUE(bob.add_gid(0, gid("10.77.0.2"), kRoceV2));
        port.emplace("alice", alice, sink, cm.file(), logger);
    }

    static rnic::Gid gid(const char* text) { return *parse_gid(text); }
    static rnic::Endpoint at(const char* ip, uint16_t tcp_port) { return {gid(ip), tcp_port}; }
    AddressRules rules() {
        return {
            .gid_index = {}, .peers = {{"", *parse_gid_prefix("10.9.0.0/24"), {}}}, .guests = {}};
    }

    Result<void> connect(uint32_t id, const char* to = "10.77.0.2") {
        return port->connect(id, qp, at("10.77.0.1", 40000), at(to, 7),
                             {.ird = 1, .ord = 2, .private_data = bytes({9, 8, 7})});
    }
    // The kernel's id of the connection that is made now.
    uint32_t connecting(uint32_t id) {
        EXPECT_TRUE(connect(id));
        EXPECT_TRUE(cm.wait_for(RDMA_USER_CM_CMD_CONNECT, 1));
        return cm.last<rdma_ucm_connect>(RDMA_USER_CM_CMD_CONNECT).id;
    }
    uint32_t listening(uint32_t id, const char* ip = "10.77.0.1") {
        EXPECT_TRUE(port->listen(id, at(ip, 2000), 5, false));
        return cm.last<rdma_ucm_listen>(RDMA_USER_CM_CMD_LISTEN).id;
    }
    // The next event, which may be on its way.
    rnic::IwCmEvent event() {
        std::optional<rnic::IwCmEvent> next;
        EXPECT_TRUE(eventually([&] { return (next = port->next_event()).has_value(); }));
        return next.value_or(rnic::IwCmEvent{});
    }

    static constexpr uint32_t kRoceV2 = 2;

    FakeIwCm cm;
    RecordingSink sink;
    FakeQp qp;
    test::CapturedLog log;
    std::shared_ptr<spdlog::logger> logger = log.logger();
    std::shared_ptr<HostGidTable> host = std::make_shared<HostGidTable>("siw0", 1, [] {
        return HostGids({{0, gid("10.9.0.1"), "eth0"}, {1, gid("10.9.0.11"), "eth0"}});
    });
    std::shared_ptr<OverlayMap> map = std::make_shared<OverlayMap>(rules(), host);
    GuestAddresses alice{"alice", map, logger};
    GuestAddresses bob{"bob", map, logger};
    std::optional<IwCmPort> port;
};

TEST_F(ConnectionsTest, AConnectionGoesFromTheGuestsUnderlayGidToThePeers) {
    connecting(1);
    const auto resolved = cm.last<rdma_ucm_resolve_addr>(RDMA_USER_CM_CMD_RESOLVE_ADDR);
    EXPECT_EQ(text_of(resolved.src_addr), "10.9.0.1:0");
    EXPECT_EQ(text_of(resolved.dst_addr), "10.9.0.1:7");
}

TEST_F(ConnectionsTest, AConnectionIsOfTheHostsQueuePair) {
    connecting(1);
    const auto param = cm.last<rdma_ucm_connect>(RDMA_USER_CM_CMD_CONNECT).conn_param;
    EXPECT_EQ(param.qp_num, 4321u);
    EXPECT_EQ(param.responder_resources, 1);
    EXPECT_EQ(param.initiator_depth, 2);
    EXPECT_EQ(param.private_data_len, 3);
    EXPECT_EQ(param.private_data[0], 9);
}

TEST_F(ConnectionsTest, TheReplySaysWhatThePeerSaid) {
    const uint32_t kernel_id = connecting(1);
    cm.report(kEstablishedEvent, kernel_id, 0, {1, 2});
    const auto reply = event();
    EXPECT_EQ(reply.type, Type::kReply);
    EXPECT_EQ(reply.id, 1u);
    EXPECT_EQ(reply.status, Errno{});
    EXPECT_EQ(reply.parameters.ird, 4);
    EXPECT_EQ(reply.parameters.ord, 3);
    EXPECT_EQ(reply.parameters.private_data, bytes({1, 2}));
}

TEST_F(ConnectionsTest, EventsAreAnnouncedOnceUntilTheyAreTaken) {
    const uint32_t kernel_id = connecting(1);
    cm.report(kEstablishedEvent, kernel_id);
    cm.report(kDisconnectedEvent, kernel_id);
    ASSERT_TRUE(eventually([&] { return cm.live_ids() == 0; }));
    EXPECT_THAT(sink.events(1),
                testing::ElementsAre(RecordingSink::Event{rnic::AsyncEventType::kIwCm, 1}));
    EXPECT_EQ(event().type, Type::kReply);
    EXPECT_EQ(event().type, Type::kClosed);
    EXPECT_FALSE(port->next_event());
}

TEST_F(ConnectionsTest, AConnectionThatIsClosedIsFreedInTheKernel) {
    const uint32_t kernel_id = connecting(1);
    cm.report(kEstablishedEvent, kernel_id);
    EXPECT_EQ(event().type, Type::kReply);
    port->close(1);
    EXPECT_TRUE(eventually([&] { return cm.live_ids() == 0; }));
    EXPECT_FALSE(port->next_event());
}

TEST_F(ConnectionsTest, ARejectionIsTheReply) {
    cm.report(kRejectedEvent, connecting(1), -ECONNRESET);
    EXPECT_EQ(event().status, Errno{ECONNRESET});
    EXPECT_TRUE(eventually([&] { return cm.live_ids() == 0; }));
}

TEST_F(ConnectionsTest, APeerThatRefusesIsTheReply) {
    cm.during_connect = [] { return ECONNREFUSED; };
    ASSERT_TRUE(connect(1));
    EXPECT_EQ(event().status, Errno{ECONNREFUSED});
    EXPECT_TRUE(eventually([&] { return cm.live_ids() == 0; }));
}

TEST_F(ConnectionsTest, AddressesThatAreNotTheGuestsAreRefused) {
    const auto error = port->connect(1, qp, at("10.77.0.2", 0), at("10.77.0.2", 7), {}).error();
    EXPECT_EQ(error, Errno{EADDRNOTAVAIL});
    EXPECT_EQ(port->listen(2, at("10.77.0.2", 2000), 1, false).error(), Errno{EADDRNOTAVAIL});
}

TEST_F(ConnectionsTest, AnUnknownPeerIsUnreachable) {
    EXPECT_EQ(connect(1, "10.66.0.1").error(), Errno{ENETUNREACH});
    EXPECT_THAT(log.str(), testing::HasSubstr("add a [[peer]]"));
}

TEST_F(ConnectionsTest, AnIdIsUsedOnce) {
    ASSERT_TRUE(connect(1));
    EXPECT_EQ(connect(1).error(), Errno{EEXIST});
    EXPECT_EQ(port->listen(1, at("10.77.0.1", 2000), 1, false).error(), Errno{EEXIST});
}

TEST_F(ConnectionsTest, AListenerIsAtTheUnderlayGidOfItsAddress) {
    listening(1);
    EXPECT_EQ(text_of(cm.last<rdma_ucm_bind>(RDMA_USER_CM_CMD_BIND).addr), "10.9.0.1:2000");
    listening(2, "10.9.0.11");
    EXPECT_EQ(text_of(cm.last<rdma_ucm_bind>(RDMA_USER_CM_CMD_BIND).addr), "10.9.0.11:2000");
}

TEST_F(ConnectionsTest, AListenerAtAnyAddressIsAtAllUnderlayGids) {
    listening(1, "0.0.0.0");
    EXPECT_EQ(cm.count(RDMA_USER_CM_CMD_LISTEN), 2u);
    EXPECT_EQ(cm.live_ids(), 2u);
    port->close(1);
    EXPECT_EQ(cm.live_ids(), 0u);
}

TEST_F(ConnectionsTest, AListenerAtAnyIpv6AddressMayWantNoIpv4) {
    EXPECT_TRUE(port->listen(3, at("::", 2002), 1, true)) << "for addresses to come";
    EXPECT_EQ(cm.count(RDMA_USER_CM_CMD_LISTEN), 1u);
    EXPECT_TRUE(port->listen(1, at("::", 2000), 1, false));
    EXPECT_TRUE(port->listen(2, at("0.0.0.0", 2001), 1, true)) << "means nothing there";
}

TEST_F(ConnectionsTest, APortThatIsTakenLeavesNothing) {
    cm.refuse(RDMA_USER_CM_CMD_LISTEN, EADDRINUSE);
    EXPECT_EQ(port->listen(1, at("0.0.0.0", 2000), 1, false).error(), Errno{EADDRINUSE});
    EXPECT_EQ(cm.live_ids(), 0u);
    EXPECT_THAT(log.str(), testing::HasSubstr("cannot listen at port 2000 of 10.9.0.11"));
}

TEST_F(ConnectionsTest, AListenerFollowsTheGuestsAddresses) {
    ASSERT_TRUE(alice.del_gid(1));
    listening(1, "0.0.0.0");
    EXPECT_EQ(cm.live_ids(), 1u);
    ASSERT_TRUE(alice.add_gid(1, gid("10.9.0.11"), kRoceV2));
    port->follow_addresses();
    EXPECT_EQ(cm.live_ids(), 2u);
    EXPECT_EQ(text_of(cm.last<rdma_ucm_bind>(RDMA_USER_CM_CMD_BIND).addr), "10.9.0.11:2000");
    ASSERT_TRUE(alice.del_gid(1));
    port->follow_addresses();
    EXPECT_EQ(cm.live_ids(), 1u);
}

TEST_F(ConnectionsTest, APortThatIsTakenLaterIsTold) {
    ASSERT_TRUE(alice.del_gid(1));
    listening(1, "0.0.0.0");
    ASSERT_TRUE(alice.add_gid(1, gid("10.9.0.11"), kRoceV2));
    cm.refuse(RDMA_USER_CM_CMD_LISTEN, EADDRINUSE);
    port->follow_addresses();
    EXPECT_THAT(log.str(), testing::HasSubstr("cannot listen at port 2000 of 10.9.0.11"));
    port->follow_addresses();
    EXPECT_EQ(cm.live_ids(), 2u) << "once the port is free";
}

TEST_F(ConnectionsTest, PrivilegedPortsOfTheHostsAddressAreRefused) {
    EXPECT_EQ(port->listen(1, at("10.77.0.1", 22), 1, false).error(), Errno{EACCES});
    EXPECT_TRUE(port->listen(2, at("10.9.0.11", 22), 1, false)) << "the guest's own address";
}

TEST_F(ConnectionsTest, TheBacklogIsBounded) {
    ASSERT_TRUE(port->listen(1, at("10.77.0.1", 2000), UINT32_MAX, false));
    EXPECT_EQ(cm.last<rdma_ucm_listen>(RDMA_USER_CM_CMD_LISTEN).backlog,
              uint32_t{IwCmPort::kMaxBacklog});
}

TEST_F(ConnectionsTest, ARequestNamesListenerAndEndpoints) {
    cm.request(listening(1), {5});
    const auto request = event();
    EXPECT_EQ(request.type, Type::kRequest);
    EXPECT_EQ(request.id, 1u);
    EXPECT_EQ(request.local, at("10.77.0.1", 2000));
    EXPECT_EQ(request.remote, at("10.9.0.7", 4711));
    EXPECT_EQ(request.parameters.private_data, bytes({5}));
}

TEST_F(ConnectionsTest, AnAcceptedRequestIsAConnection) {
    const uint32_t kernel_id = cm.request(listening(1));
    ASSERT_TRUE(port->accept(event().request, 2, qp, {.ird = 0, .ord = 0, .private_data = {}}));
    EXPECT_EQ(cm.last<rdma_ucm_accept>(RDMA_USER_CM_CMD_ACCEPT).conn_param.qp_num, 4321u);
    cm.report(kEstablishedEvent, kernel_id);
    const auto established = event();
    EXPECT_EQ(established.type, Type::kEstablished);
    EXPECT_EQ(established.id, 2u);
    cm.report(kDisconnectedEvent, kernel_id);
    EXPECT_EQ(event().type, Type::kClosed);
}

TEST_F(ConnectionsTest, ARequestIsAnsweredOnce) {
    cm.request(listening(1));
    const uint32_t request = event().request;
    EXPECT_TRUE(port->reject(request, bytes({1})));
    EXPECT_EQ(cm.last<rdma_ucm_reject>(RDMA_USER_CM_CMD_REJECT).private_data_len, 1);
    EXPECT_EQ(port->reject(request, {}).error(), Errno{ECONNRESET});
    EXPECT_EQ(port->accept(request, 2, qp, {}).error(), Errno{ECONNRESET});
    EXPECT_EQ(cm.live_ids(), 1u) << "the listener";
}

TEST_F(ConnectionsTest, AnAcceptThatFailsLeavesNothing) {
    cm.request(listening(1));
    cm.refuse(RDMA_USER_CM_CMD_ACCEPT, ECONNRESET);
    EXPECT_EQ(port->accept(event().request, 2, qp, {}).error(), Errno{ECONNRESET});
    EXPECT_EQ(cm.live_ids(), 1u);
}

TEST_F(ConnectionsTest, AListenersEndTakesTheRequestsThatNobodyHasSeen) {
    const uint32_t listener = listening(1);
    cm.request(listener);
    const uint32_t seen = event().request;
    cm.request(listener);
    sink.events(2);
    port->close(1);
    EXPECT_FALSE(port->next_event());
    EXPECT_TRUE(port->accept(seen, 2, qp, {}));
    EXPECT_EQ(cm.live_ids(), 1u);
}

TEST_F(ConnectionsTest, OfTooManyRequestsTheOldestGoes) {
    const uint32_t listener = listening(1);
    for (size_t i = 0; i <= IwCmPort::kMaxRequests; ++i) {
        cm.request(listener);
    }
    // The last event tells that all have been handled.
    ASSERT_TRUE(eventually([&] { return cm.count(RDMA_USER_CM_CMD_DESTROY_ID) == 1; }));
    EXPECT_EQ(event().request, 1u);
}

// A connection that failed is gone, and its event waits until the guest takes it.
TEST_F(ConnectionsTest, CountUntilTheirLastEventIsTaken) {
    LimitLog log{"alice", logger};
    Budget connections{"connections", "connections", 2, log};
    Budget backlog{"connection_backlog", "requests", 5, log};
    Budget events{"connection_events", "events", 10, log};
    port->set_budgets({.connections = &connections,
                       .connection_backlog = &backlog,
                       .connection_events = &events});
    cm.during_connect = [] { return ECONNREFUSED; };
    for (const uint32_t id : {1U, 2U}) {
        connecting(id);
        ASSERT_TRUE(eventually([&] { return events.used() == id; }));
    }
    EXPECT_EQ(connect(3).error(), Errno{EDQUOT});
    EXPECT_EQ(connections.times_reached(), 1U);
    EXPECT_EQ(event().id, 1U);
    EXPECT_EQ(connections.used(), 1U);
    EXPECT_EQ(events.used(), 1U);
    EXPECT_TRUE(connect(3));
    port->close(2);
    EXPECT_LE(connections.used(), 1U) << "closing takes the events away";
    port.reset();
    EXPECT_EQ(connections.used() + events.used() + backlog.used(), 0U);
}

TEST_F(ConnectionsTest, AreNotMadeWhileTooManyEventsWait) {
    LimitLog log{"alice", logger};
    Budget events{"connection_events", "events", 1, log};
    port->set_budgets({.connection_events = &events});
    cm.during_connect = [] { return ECONNREFUSED; };
    connecting(1);
    ASSERT_TRUE(eventually([&] { return events.used() == 1; }));
    EXPECT_EQ(connect(2).error(), Errno{EDQUOT});
    EXPECT_EQ(port->listen(3, at("10.77.0.1", 2000), 5, false).error(), Errno{EDQUOT});
    EXPECT_EQ(event().id, 1U);
    EXPECT_TRUE(connect(2));
    port.reset();
}

TEST_F(ConnectionsTest, TheBacklogOfAllListenersIsLimited) {
    LimitLog log{"alice", logger};
    Budget backlog{"connection_backlog", "requests", 5, log};
    port->set_budgets({.connection_backlog = &backlog});
    listening(1);
    EXPECT_EQ(backlog.used(), 5U);
    EXPECT_EQ(port->listen(2, at("10.77.0.1", 2001), 1, false).error(), Errno{EDQUOT});
    port->close(1);
    EXPECT_EQ(backlog.used(), 0U);
    port.reset();
}

TEST_F(ConnectionsTest, EventsOfNobodyAreIgnored) {
    const uint32_t kernel_id = connecting(1);
    port->close(1);
    cm.request(listening(2));
    EXPECT_EQ(event().type, Type::kRequest);
    EXPECT_NE(cm.uid_of(cm.last<rdma_ucm_listen>(RDMA_USER_CM_CMD_LISTEN).id), 0u) << kernel_id;
}

// Blocks until a signal comes, as the kernel does.
int block() {
    timespec hour{.tv_sec = 3600, .tv_nsec = 0};
    return ::nanosleep(&hour, nullptr) == 0 ? 0 : errno;
}

TEST_F(ConnectionsTest, ClosingInterruptsTheConnecting) {
    cm.during_connect = block;
    connecting(1);
    port->close(1);
    EXPECT_TRUE(eventually([&] { return cm.live_ids() == 0; }));
    EXPECT_FALSE(port->next_event());
}

TEST_F(ConnectionsTest, ThePortsEndInterruptsTheConnecting) {
    cm.during_connect = block;
    connecting(1);
    ASSERT_TRUE(connect(2));
    port.reset();
    EXPECT_EQ(cm.live_ids(), 0u);
}

TEST(ConnectThreadsTest, AJobThatTakesTooLongIsInterrupted) {
    std::atomic<int> result = 0;
    ConnectThreads threads(std::chrono::milliseconds(1));
    threads.start(1, [&] { result = block(); });
    EXPECT_TRUE(eventually([&] { return result == EINTR; }));
}

TEST(ConnectThreadsTest, MoreJobsThanThreadsAllRun) {
    std::atomic<size_t> count = 0;
    ConnectThreads threads;
    const size_t jobs = 5 * ConnectThreads::kMaxThreads;
    for (size_t i = 0; i < jobs; ++i) {
        threads.start(i, [&] { ++count; });
    }
    EXPECT_TRUE(eventually([&] { return count == jobs; }));
}

}  // namespace
}  // namespace vrdma::uverbs
