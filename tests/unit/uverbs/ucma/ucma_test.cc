// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Commands of the connection manager's user interface: what reaches the kernel, and what a guest is
// told.
#include <endian.h>
#include <gmock/gmock.h>

#include "rnic/uverbs/ucma/ucma_port.h"
#include "unit/uverbs/fakes/fake_cm_events.h"
#include "unit/uverbs/ucma/ucma_fixture.h"

namespace vrdma::uverbs {
namespace {

TEST_F(UcmaTest, TheRnicSaysThatItForwardsTheInterface) {
    EXPECT_TRUE(rnic->attributes().ucma);
}

TEST_F(GuestTest, WithoutAConnectionManagerThereAreNoFiles) {
    EXPECT_FALSE(rnic->attributes().ucma);
    EXPECT_EQ(port->open_ucma_file({}).error(), Errno{EOPNOTSUPP});
}

TEST_F(UcmaTest, UnknownCommandsAreNotForwarded) {
    const std::array<std::byte, 512> anything{};
    EXPECT_EQ(run(RDMA_USER_CM_CMD_GET_OPTION, anything), EOPNOTSUPP);
    EXPECT_EQ(run(RDMA_USER_CM_CMD_JOIN_MCAST + 1, anything), EOPNOTSUPP);
}

TEST_F(UcmaTest, CommandsThatAreTooShortOrHaveNoRoomAreRefused) {
    EXPECT_EQ(run(RDMA_USER_CM_CMD_CREATE_ID, uint64_t{}), EINVAL);
    EXPECT_EQ(run(*file, RDMA_USER_CM_CMD_CREATE_ID, rdma_ucm_create_id{}, nullptr, 3), ENOSPC);
    EXPECT_EQ(run(*file, RDMA_USER_CM_CMD_GET_EVENT, rdma_ucm_get_event{}, nullptr, 300), ENOSPC);
    EXPECT_EQ(cm.count(RDMA_USER_CM_CMD_CREATE_ID), 0u);
}

TEST_F(UcmaTest, PortSpacesAndTypesAreThoseOfUnprivilegedUsers) {
    rdma_ucm_create_id request{};
    request.ps = 0x1234;
    EXPECT_EQ(run(RDMA_USER_CM_CMD_CREATE_ID, request), EINVAL);
    request.ps = RDMA_PS_IB;
    request.qp_type = 1;  // GSI
    EXPECT_EQ(run(RDMA_USER_CM_CMD_CREATE_ID, request), EOPNOTSUPP);
    request.qp_type = IB_UVERBS_QPT_UC;
    EXPECT_EQ(run(RDMA_USER_CM_CMD_CREATE_ID, request), 0);
}

TEST_F(UcmaTest, IdsAreLimited) {
    for (size_t i = 0; i < connections.limit(); ++i) {
        create();
    }
    rdma_ucm_create_id request{};
    request.ps = RDMA_PS_TCP;
    EXPECT_EQ(run(RDMA_USER_CM_CMD_CREATE_ID, request), EDQUOT);
    EXPECT_EQ(connections.times_reached(), 1U);
    file.reset();
    EXPECT_TRUE(cm.ids().empty());
    EXPECT_EQ(connections.used(), 0U);
    file = open_file(1);
    create();
}

// An address that does not answer leaves the id as it was, and an event in the kernel each time.
TEST_F(UcmaTest, EventsThatNobodyTakesAreLimited) {
    const uint32_t id = create();
    for (size_t i = 0; i < events.limit(); ++i) {
        ASSERT_EQ(resolve(id, "10.9.0.5"), 0);
        cm.report(kAddressErrorEvent, id);
    }
    EXPECT_EQ(events.used(), events.limit());
    EXPECT_EQ(resolve(id, "10.9.0.5"), EDQUOT);
    EXPECT_EQ(
        run(RDMA_USER_CM_CMD_RESOLVE_ROUTE, rdma_ucm_resolve_route{.id = id, .timeout_ms = 1}),
        EDQUOT);
    ASSERT_EQ(get_event(), 0);
    EXPECT_EQ(events.used(), events.limit() - 1) << "one was taken";
    EXPECT_EQ(resolve(id, "10.9.0.5"), 0);
    while (get_event() == 0) {
    }
    EXPECT_EQ(events.used(), 0U) << "all that there were are taken";
    EXPECT_EQ(resolve(id, "10.9.0.5"), 0);
    file.reset();
    EXPECT_EQ(events.used(), 0U);
}

TEST_F(UcmaTest, TheBacklogOfAllListenersIsLimited) {
    const uint32_t first = listening("10.77.0.1");
    EXPECT_EQ(backlog.used(), 10U);
    const uint32_t large = create();
    ASSERT_EQ(bind(large, "10.77.0.1", 0), 0);
    backlog.set_limit(500);
    EXPECT_EQ(listen(large, 491), EDQUOT);
    EXPECT_EQ(listen(large, 490), 0);
    EXPECT_EQ(backlog.used(), 500U);
    EXPECT_EQ(destroy(large), 0);
    EXPECT_EQ(destroy(first), 0);
    EXPECT_EQ(backlog.used(), 0U);
}

TEST_F(UcmaTest, AnIdIsOfItsFile) {
    const uint32_t id = create();
    const auto other = open_file(1);
    EXPECT_EQ(run(*other, RDMA_USER_CM_CMD_LISTEN, rdma_ucm_listen{.id = id, .backlog = 1}),
              EINVAL);
    EXPECT_EQ(listen(id + 1), ENOENT);
}

TEST_F(UcmaTest, BindingIsToWhatCarriesTheAddress) {
    const uint32_t id = create();
    ASSERT_EQ(bind(id, "10.77.0.1"), 0);
    EXPECT_EQ(text(cm.last<rdma_ucm_bind>(RDMA_USER_CM_CMD_BIND).addr), "10.9.0.1:5000");
    const auto shown = route(id);
    EXPECT_EQ(text(shown.src_addr), "10.77.0.1:5000");
    EXPECT_EQ(shown.node_guid, htobe64(kNodeGuid));
    EXPECT_EQ(shown.ibdev_index, kIbdevIndex);
    EXPECT_EQ(shown.port_num, 1);
}

TEST_F(UcmaTest, AnAddressThatTheGuestDoesNotHaveCannotBeBoundTo) {
    EXPECT_EQ(bind(create(), "10.77.0.9"), EADDRNOTAVAIL);
    EXPECT_EQ(bind(create(), "10.9.0.1"), EADDRNOTAVAIL);
    EXPECT_EQ(cm.count(RDMA_USER_CM_CMD_BIND), 0u);
}

TEST_F(UcmaTest, PrivilegedPortsOfASharedAddressAreTheHosts) {
    EXPECT_EQ(bind(create(), "10.77.0.1", 1023), EACCES);
    EXPECT_EQ(bind(create(), "10.77.0.1", 1024), 0);
}

TEST_F(UcmaTest, AddressesOfOtherFamiliesAreRefused) {
    const uint32_t id = create();
    rdma_ucm_bind request{};
    request.id = id;
    request.addr.ss_family = 27;  // AF_IB
    request.addr_size = 48;
    EXPECT_EQ(run(RDMA_USER_CM_CMD_BIND, request), EAFNOSUPPORT);
}

TEST_F(UcmaTest, AnAddressOfTheWrongSizeIsRefused) {
    rdma_ucm_bind request{};
    request.id = create();
    request.addr_size =
        static_cast<uint16_t>(put(socket_address(gid("10.77.0.1"), kTcpPort), request.addr) + 1);
    EXPECT_EQ(run(RDMA_USER_CM_CMD_BIND, request), EINVAL);
}

TEST_F(UcmaTest, TheUnspecifiedAddressIsNotTheHosts) {
    const uint32_t id = create();
    ASSERT_EQ(bind(id, "0.0.0.0", 0), 0);
    const auto bound = text(cm.last<rdma_ucm_bind>(RDMA_USER_CM_CMD_BIND).addr);
    EXPECT_EQ(bound, "10.9.0.1:0");
    // The guest sees the port that the kernel chose, and no device yet.
    const auto shown = route(id);
    EXPECT_EQ(text(shown.src_addr), "0.0.0.0:" + std::to_string(40000 + id));
    EXPECT_EQ(shown.node_guid, 0u);
    EXPECT_EQ(shown.port_num, 0);
    EXPECT_EQ(gid_text(shown.ib_route[0].sgid), "::");
}

TEST_F(UcmaTest, ALoopbackAddressMeansTheUnspecifiedOne) {
    for (const char* loopback : {"127.0.0.1", "::1"}) {
        const uint32_t id = create();
        ASSERT_EQ(bind(id, loopback, 0), 0) << loopback;
        const auto bound = text(cm.last<rdma_ucm_bind>(RDMA_USER_CM_CMD_BIND).addr);
        EXPECT_EQ(bound, "10.9.0.1:0") << loopback;
        EXPECT_EQ(route(id).node_guid, 0u) << loopback;
        EXPECT_EQ(listen(id), 0) << loopback;
    }
}

class AnnouncedUcmaTest : public UcmaTest {
  protected:
    // The guest has 10.9.0.11 besides, and the RNIC's netdev as well.
    void SetUp() override {
        sysfs.set_gid("rxe0", 4, "10.9.0.11");
        UcmaTest::SetUp();
        ASSERT_TRUE(port->add_gid(1, gid("10.9.0.11"), kRoceV2));
    }
    std::vector<std::string> listeners() const {
        std::vector<std::string> all;
        for (const auto& [id, what] : cm.ids()) {
            if (what.listens) {
                all.push_back(to_string(what.source.ip) + ":" + std::to_string(what.source.port));
            }
        }
        return all;
    }
};

TEST_F(AnnouncedUcmaTest, AListenerOfAllAddressesIsAtEveryUnderlayGid) {
    const uint32_t id = listening("0.0.0.0");
    EXPECT_THAT(listeners(), testing::UnorderedElementsAre("10.9.0.1:5000", "10.9.0.11:5000"));
    ASSERT_EQ(destroy(id), 0);
    EXPECT_TRUE(cm.ids().empty());
}

TEST_F(AnnouncedUcmaTest, APortOfTheGuestsOwnAddressThatIsTakenIsRefused) {
    cm.take(gid("10.9.0.11"), kTcpPort);
    EXPECT_EQ(bind(create(), "0.0.0.0"), EADDRINUSE);
}

TEST_F(AnnouncedUcmaTest, APortOfASharedAddressThatIsTakenIsRefused) {
    cm.take(gid("10.9.0.1"), kTcpPort);
    const uint32_t id = create();
    ASSERT_EQ(bind(id, "0.0.0.0"), 0);
    EXPECT_EQ(listen(id), EADDRINUSE);  // the guest's overlay address is reached only there
    EXPECT_THAT(listeners(), testing::IsEmpty());
    ASSERT_EQ(destroy(id), 0);
    EXPECT_TRUE(cm.ids().empty());
}

TEST_F(AnnouncedUcmaTest, AListenerFollowsTheGuestsAddresses) {
    ASSERT_TRUE(port->del_gid(1));
    listening("0.0.0.0");
    EXPECT_THAT(listeners(), testing::UnorderedElementsAre("10.9.0.1:5000"));
    ASSERT_TRUE(port->add_gid(1, gid("10.9.0.11"), kRoceV2));
    EXPECT_THAT(listeners(), testing::UnorderedElementsAre("10.9.0.1:5000", "10.9.0.11:5000"));
    const uint32_t request = cm.request(gid("10.9.0.11"), kTcpPort, gid("10.9.0.5"));
    EXPECT_EQ(event().id, request);
    EXPECT_EQ(text(route(request).src_addr), "10.9.0.11:5000");
    ASSERT_TRUE(port->del_gid(1));
    EXPECT_THAT(listeners(), testing::UnorderedElementsAre("10.9.0.1:5000"));
}

TEST_F(AnnouncedUcmaTest, AListenerKnowsTheEventsOfThePlacesThatAreGone) {
    const uint32_t id = listening("0.0.0.0");
    ASSERT_TRUE(port->del_gid(0));
    cm.request(gid("10.9.0.11"), kTcpPort, gid("10.9.0.5"));
    event();
    ASSERT_TRUE(port->del_gid(1));
    ASSERT_EQ(destroy(id), 0);
    EXPECT_EQ(answered<rdma_ucm_destroy_id_resp>().events_reported, 1u);
}

TEST_F(AnnouncedUcmaTest, AListenerMayBeThereBeforeTheGuestHasAnAddress) {
    ASSERT_TRUE(port->del_gid(0));
    ASSERT_TRUE(port->del_gid(1));
    listening("0.0.0.0");
    cm.request(gid("10.9.0.1"), kTcpPort, gid("10.9.0.5"));
    EXPECT_EQ(get_event(), EAGAIN);
    EXPECT_THAT(log.str(), testing::HasSubstr("is rejected: the guest has no address there"));
    ASSERT_TRUE(port->add_gid(0, gid("10.77.0.1"), kRoceV2));
    const uint32_t request = cm.request(gid("10.9.0.1"), kTcpPort, gid("10.9.0.5"));
    EXPECT_EQ(event().id, request);
    EXPECT_EQ(text(route(request).src_addr), "10.77.0.1:5000");
}

TEST_F(AnnouncedUcmaTest, AnAddressAtWhichThePortIsTakenIsTold) {
    ASSERT_TRUE(port->del_gid(1));
    listening("0.0.0.0");
    cm.take(gid("10.9.0.11"), kTcpPort);
    ASSERT_TRUE(port->add_gid(1, gid("10.9.0.11"), kRoceV2));
    EXPECT_THAT(log.str(), testing::HasSubstr("but not at its new address 10.9.0.11"));
}

TEST_F(AnnouncedUcmaTest, OptionsAreForEveryUnderlayGid) {
    const uint32_t id = create();
    struct {
        rdma_ucm_set_option request{};
        uint8_t value = 0x20;
    } __attribute__((packed)) tos;
    tos.request.id = id;
    tos.request.optname = RDMA_OPTION_ID_TOS;
    tos.request.optlen = 1;
    ASSERT_EQ(run(RDMA_USER_CM_CMD_SET_OPTION, tos), 0);
    ASSERT_EQ(bind(id, "0.0.0.0"), 0);
    ASSERT_EQ(listen(id), 0);
    EXPECT_EQ(cm.count(RDMA_USER_CM_CMD_SET_OPTION), 2u);
    EXPECT_EQ(cm.option, std::vector{std::byte{0x20}});
}

TEST_F(UcmaTest, AListenerThatIsBoundNowhereIsAtAllAddresses) {
    ASSERT_EQ(listen(create()), 0);
    EXPECT_EQ(text(cm.last<rdma_ucm_bind>(RDMA_USER_CM_CMD_BIND).addr), "10.9.0.1:0");
}

TEST_F(AnnouncedUcmaTest, AnIdThatIsBoundReachesAPeerFromAnotherUnderlayGid) {
    sysfs.set_gid("rxe0", 5, "fd09::1");
    config.addresses.peers.push_back({"", *parse_gid_prefix("10.88.0.1"), gid("fd09::2")});
    file.reset();
    context.reset();
    port.reset();
    open_guest();
    file = open_file(0);
    const uint32_t id = create();
    ASSERT_EQ(bind(id, "10.77.0.1", 4000), 0);
    ASSERT_EQ(resolve(id, "10.88.0.1"), 0);
    const auto asked = cm.last<rdma_ucm_resolve_addr>(RDMA_USER_CM_CMD_RESOLVE_ADDR);
    EXPECT_NE(asked.id, id);
    EXPECT_EQ(text(asked.src_addr), "fd09::1:4000");
    EXPECT_EQ(text(asked.dst_addr), "fd09::2:80");
    cm.report(kAddressResolvedEvent, asked.id);
    EXPECT_EQ(event().id, id);
    EXPECT_EQ(text(route(id).src_addr), "10.77.0.1:4000");
    ASSERT_EQ(destroy(id), 0);
    EXPECT_TRUE(cm.ids().empty());
}

TEST_F(UcmaTest, TheBacklogIsBounded) {
    const uint32_t id = create();
    ASSERT_EQ(listen(id, 1'000'000), 0);
    EXPECT_EQ(cm.last<rdma_ucm_listen>(RDMA_USER_CM_CMD_LISTEN).backlog, UcmaPort::kMaxBacklog);
    ASSERT_EQ(listen(id, 0), 0);
    EXPECT_EQ(cm.last<rdma_ucm_listen>(RDMA_USER_CM_CMD_LISTEN).backlog, UcmaPort::kMaxBacklog);
    ASSERT_EQ(listen(id, 7), 0);
    EXPECT_EQ(cm.last<rdma_ucm_listen>(RDMA_USER_CM_CMD_LISTEN).backlog, 7u);
}

TEST_F(UcmaTest, TheWayIsTheUnderlays) {
    const uint32_t id = create();
    ASSERT_EQ(resolve(id, "10.9.0.5"), 0);
    const auto asked = cm.last<rdma_ucm_resolve_addr>(RDMA_USER_CM_CMD_RESOLVE_ADDR);
    EXPECT_EQ(text(asked.src_addr), "10.9.0.1:0");
    EXPECT_EQ(text(asked.dst_addr), "10.9.0.5:80");
    EXPECT_EQ(asked.timeout_ms, 2000u);
    const auto shown = route(id);
    EXPECT_EQ(text(shown.dst_addr), "10.9.0.5:80");
    EXPECT_EQ(gid_text(shown.ib_route[0].sgid), "10.77.0.1");
    EXPECT_EQ(gid_text(shown.ib_route[0].dgid), "10.9.0.5");
}

TEST_F(UcmaTest, AnotherGuestIsShownByItsOwnAddress) {
    RecordingSink others;
    const auto bob = rnic->open_port("bob", others).value();
    ASSERT_TRUE(bob->add_gid(0, gid("10.77.0.2"), kRoceV2));
    const uint32_t id = create();
    ASSERT_EQ(resolve(id, "10.77.0.2", "10.77.0.1"), 0);
    EXPECT_EQ(text(cm.last<rdma_ucm_resolve_addr>(RDMA_USER_CM_CMD_RESOLVE_ADDR).dst_addr),
              "10.9.0.1:80");
    EXPECT_EQ(text(route(id).dst_addr), "10.77.0.2:80");
}

TEST_F(UcmaTest, APeerThatTheGuestMayNotTalkToIsUnreachable) {
    EXPECT_EQ(resolve(create(), "10.77.0.99"), ENETUNREACH);
    EXPECT_EQ(resolve(create(), "10.9.0.5", "10.77.0.3"), EADDRNOTAVAIL);
    EXPECT_EQ(cm.count(RDMA_USER_CM_CMD_RESOLVE_ADDR), 0u);
}

TEST_F(UcmaTest, TheAddressVectorLeadsBackToThePath) {
    const uint32_t id = create();
    ASSERT_EQ(resolve(id, "10.9.0.5"), 0);
    rdma_ucm_init_qp_attr request{};
    request.id = id;
    ASSERT_EQ(run(RDMA_USER_CM_CMD_INIT_QP_ATTR, request), 0);
    const auto attributes = answered<ib_uverbs_qp_attr>();
    EXPECT_EQ(attributes.ah_attr.grh.sgid_index, 0);  // the guest's
    EXPECT_EQ(gid_text(attributes.ah_attr.grh.dgid), "10.9.0.5");
    EXPECT_EQ(attributes.port_num, 1);
}

TEST_F(UcmaTest, ConnectingTakesAQueuePairOfTheGuest) {
    const auto pd = make_pd();
    const auto cq = make_cq(1);
    const auto qp = make_qp(1, *pd, *cq);
    rdma_ucm_connect request{};
    request.id = create();
    request.conn_param.valid = 1;
    request.conn_param.qp_num = qp->qp_num() + 1;
    EXPECT_EQ(run(RDMA_USER_CM_CMD_CONNECT, request), EINVAL);
    EXPECT_EQ(cm.count(RDMA_USER_CM_CMD_CONNECT), 0u);
    request.conn_param.qp_num = qp->qp_num();
    EXPECT_EQ(run(RDMA_USER_CM_CMD_CONNECT, request), 0);
}

TEST_F(UcmaTest, AnOlderLibrarysConnectIsShorter) {
    const auto pd = make_pd();
    const auto cq = make_cq(1);
    const auto qp = make_qp(1, *pd, *cq);
    rdma_ucm_connect request{};
    request.id = create();
    request.conn_param.qp_num = qp->qp_num();
    std::array<std::byte, offsetof(rdma_ucm_connect, ece)> old;
    std::memcpy(old.data(), &request, old.size());
    EXPECT_EQ(run(RDMA_USER_CM_CMD_CONNECT, old), 0);
    EXPECT_EQ(cm.last<rdma_ucm_connect>(RDMA_USER_CM_CMD_CONNECT).ece.vendor_id, 0u);
}

TEST_F(UcmaTest, ADatagramsQueuePairIsOfThatService) {
    const auto pd = make_pd();
    const auto cq = make_cq(1);
    const auto qp = make_qp(1, *pd, *cq);  // RC
    rdma_ucm_accept request{};
    request.id = create(1, RDMA_PS_UDP);
    request.conn_param.valid = 1;
    request.conn_param.qp_num = qp->qp_num();
    EXPECT_EQ(run(RDMA_USER_CM_CMD_ACCEPT, request), EINVAL);
}

struct OptionRequest {
    rdma_ucm_set_option head{};
    std::array<std::byte, 8> value{};
};

TEST_F(UcmaTest, OptionsAreKnownOnesOfTheirLengths) {
    const uint32_t id = create();
    const auto set = [&](uint32_t level, uint32_t name, uint32_t length) {
        OptionRequest request;
        request.head.id = id;
        request.head.level = level;
        request.head.optname = name;
        request.head.optlen = length;
        out.clear();
        const auto bytes = std::as_bytes(std::span(&request, 1));
        const size_t there = sizeof(request.head) + std::min<size_t>(length, 8);
        const auto done =
            file->execute(RDMA_USER_CM_CMD_SET_OPTION, bytes.first(there), out, nullptr);
        return done ? 0 : to_int(done.error());
    };
    EXPECT_EQ(set(RDMA_OPTION_ID, RDMA_OPTION_ID_REUSEADDR, 4), 0);
    EXPECT_EQ(set(RDMA_OPTION_ID, RDMA_OPTION_ID_ACK_TIMEOUT, 1), 0);
    EXPECT_EQ(set(RDMA_OPTION_ID, RDMA_OPTION_ID_AFONLY, 1), EINVAL);
    EXPECT_EQ(set(RDMA_OPTION_ID, RDMA_OPTION_ID_TOS, 100), EINVAL) << "longer than what came";
    EXPECT_EQ(set(RDMA_OPTION_ID, 77, 4), EOPNOTSUPP);
    EXPECT_EQ(set(9, RDMA_OPTION_ID_TOS, 1), EOPNOTSUPP);
    EXPECT_EQ(set(RDMA_OPTION_IB, RDMA_OPTION_IB_PATH, 8), EINVAL);
    EXPECT_EQ(cm.count(RDMA_USER_CM_CMD_SET_OPTION), 2u);
}

TEST_F(UcmaTest, AGivenPathEndsWhereTheIdsDoes) {
    struct {
        rdma_ucm_set_option head{};
        ib_path_rec_data path{};
    } request;
    request.head.id = create();
    ASSERT_EQ(resolve(request.head.id, "10.9.0.5"), 0);
    request.head.level = RDMA_OPTION_IB;
    request.head.optname = RDMA_OPTION_IB_PATH;
    request.head.optlen = sizeof(request.path);
    std::memset(request.path.path_rec, 0x55, sizeof(request.path.path_rec));
    ASSERT_EQ(run(RDMA_USER_CM_CMD_SET_OPTION, request), 0);
    ib_path_rec_data path;
    ASSERT_EQ(cm.option.size(), sizeof(path));
    std::memcpy(&path, cm.option.data(), sizeof(path));
    // IBTA 1.4, 15.2.5.16: DGID at 8, SGID at 24.
    EXPECT_EQ(gid_text(std::as_bytes(std::span(path.path_rec)).subspan(8)), "10.9.0.5");
    EXPECT_EQ(gid_text(std::as_bytes(std::span(path.path_rec)).subspan(24)), "10.9.0.1");
}

TEST_F(UcmaTest, OnlyTheEventOfAnEstablishedConnectionCanBeNotified) {
    const uint32_t id = create();
    EXPECT_EQ(run(RDMA_USER_CM_CMD_NOTIFY, rdma_ucm_notify{.id = id, .event = 1}), EINVAL);
    EXPECT_EQ(run(RDMA_USER_CM_CMD_NOTIFY, rdma_ucm_notify{.id = id, .event = 4}), 0);
}

TEST_F(UcmaTest, AnIdMigratesWithItsEvents) {
    const uint32_t id = create(0x77);
    const auto other = open_file(1);
    rdma_ucm_migrate_id request{};
    request.id = id;
    EXPECT_EQ(run(*other, RDMA_USER_CM_CMD_MIGRATE_ID, request), EINVAL) << "from nowhere";
    EXPECT_EQ(run(*other, RDMA_USER_CM_CMD_MIGRATE_ID, request, other.get()), EINVAL);
    ASSERT_EQ(run(*other, RDMA_USER_CM_CMD_MIGRATE_ID, request, file.get()), 0);
    EXPECT_EQ(listen(id), EINVAL);
    EXPECT_EQ(run(*other, RDMA_USER_CM_CMD_LISTEN, rdma_ucm_listen{.id = id, .backlog = 1}), 0);
}

TEST_F(UcmaTest, QueriesOfTheNewerKindSayTheSame) {
    const uint32_t id = create();
    ASSERT_EQ(bind(id, "10.77.0.1"), 0);
    rdma_ucm_query request{};
    request.id = id;
    request.option = 17;
    EXPECT_EQ(run(RDMA_USER_CM_CMD_QUERY, request), EOPNOTSUPP);
    request.option = RDMA_USER_CM_QUERY_ADDR;
    EXPECT_EQ(run(*file, RDMA_USER_CM_CMD_QUERY, request, nullptr, 8), ENOSPC);
    ASSERT_EQ(run(RDMA_USER_CM_CMD_QUERY, request), 0);
    const auto shown = answered<rdma_ucm_query_addr_resp>();
    EXPECT_EQ(text(shown.src_addr), "10.77.0.1:5000");
    EXPECT_EQ(shown.src_size, 16);
    EXPECT_EQ(shown.dst_size, 0);
    EXPECT_EQ(shown.ibdev_index, kIbdevIndex);
}

TEST_F(UcmaTest, PathRecordsHaveTheGuestsEnds) {
    rdma_ucm_query request{};
    request.id = create();
    ASSERT_EQ(resolve(request.id, "10.9.0.5"), 0);
    request.option = RDMA_USER_CM_QUERY_PATH;
    ASSERT_EQ(run(RDMA_USER_CM_CMD_QUERY, request), 0);
    ASSERT_EQ(answer.written, sizeof(rdma_ucm_query_path_resp) + sizeof(ib_path_rec_data));
    // IBTA 1.4, 15.2.5.16: DGID at 8, SGID at 24.
    const auto record = std::span(out).subspan(sizeof(rdma_ucm_query_path_resp) +
                                               offsetof(ib_path_rec_data, path_rec));
    EXPECT_EQ(gid_text(record.subspan(8)), "10.9.0.5");
    EXPECT_EQ(gid_text(record.subspan(24)), "10.77.0.1");
    EXPECT_EQ(record[40], std::byte{0x55});
}

}  // namespace
}  // namespace vrdma::uverbs
