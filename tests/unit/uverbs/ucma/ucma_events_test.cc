// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Events of the connection manager's user interface.
#include "unit/uverbs/fakes/fake_cm_events.h"
#include "unit/uverbs/ucma/ucma_fixture.h"

namespace vrdma::uverbs {
namespace {

using rnic::AsyncEventType;

TEST_F(UcmaTest, WithoutAnEventGettingOneDoesNotWait) {
    EXPECT_EQ(get_event(), EAGAIN);
}

TEST_F(UcmaTest, AnEventHasTheGuestsUid) {
    const uint32_t first = create(0x1234);
    const uint32_t second = create(0x1234);  // a guest may give two ids one uid
    cm.report(kAddressResolvedEvent, second);
    cm.report(kRouteResolvedEvent, first);
    auto got = event();
    EXPECT_EQ(got.uid, 0x1234u);
    EXPECT_EQ(got.id, second);
    EXPECT_EQ(got.event, kAddressResolvedEvent);
    EXPECT_TRUE(answer.more_events);
    EXPECT_EQ(event().id, first);
    EXPECT_FALSE(answer.more_events);
}

TEST_F(UcmaTest, AnEventIsAnnouncedOnceUntilNoneIsLeft) {
    const uint32_t id = create();
    cm.report(kAddressResolvedEvent, id);
    EXPECT_EQ(sink.events(1).back(), RecordingSink::Event(AsyncEventType::kUcma, 0));
    cm.report(kRouteResolvedEvent, id);
    event();
    event();
    cm.report(kEstablishedEvent, id);
    // The second event would have been announced in between.
    EXPECT_EQ(sink.events(2).size(), 2u);
    event();
}

TEST_F(UcmaTest, EventsOfAnotherFileAreAnnouncedInItsName) {
    const auto other = open_file(6);
    rdma_ucm_create_id request{};
    request.uid = 1;
    request.ps = RDMA_PS_TCP;
    ASSERT_EQ(run(*other, RDMA_USER_CM_CMD_CREATE_ID, request), 0);
    cm.report(kAddressResolvedEvent, answered<rdma_ucm_create_id_resp>().id);
    EXPECT_EQ(sink.events(1).back(), RecordingSink::Event(AsyncEventType::kUcma, 6));
    EXPECT_EQ(get_event(), EAGAIN);
}

TEST_F(UcmaTest, ARequestIsAnIdOfTheGuest) {
    listening("10.77.0.1", 0x99);
    const uint32_t request = cm.request(gid("10.9.0.1"), kTcpPort, gid("10.9.0.5"));
    const auto got = event();
    EXPECT_EQ(got.uid, 0x99u);
    EXPECT_EQ(got.id, request);
    const auto shown = route(request);
    EXPECT_EQ(text(shown.src_addr), "10.77.0.1:5000");
    EXPECT_EQ(text(shown.dst_addr), "10.9.0.5:4711");
    EXPECT_EQ(gid_text(shown.ib_route[0].sgid), "10.77.0.1");
}

TEST_F(UcmaTest, AnAcceptedRequestHasAUidOfItsOwn) {
    listening("10.77.0.1");
    const uint32_t request = cm.request(gid("10.9.0.1"), kTcpPort, gid("10.9.0.5"));
    event();
    const auto pd = make_pd();
    const auto cq = make_cq(1);
    const auto qp = make_qp(1, *pd, *cq);
    rdma_ucm_accept accept{};
    accept.uid = 0x55;
    accept.id = request;
    accept.conn_param.valid = 1;
    accept.conn_param.qp_num = qp->qp_num();
    ASSERT_EQ(run(RDMA_USER_CM_CMD_ACCEPT, accept), 0);
    cm.report(kEstablishedEvent, request);
    EXPECT_EQ(event().uid, 0x55u);
}

TEST_F(UcmaTest, ARequestOfAPeerThatTheGuestMayNotTalkToIsRejected) {
    const uint32_t listener = listening("10.77.0.1");
    cm.request(gid("10.9.0.1"), kTcpPort, gid("192.0.2.1"));
    EXPECT_EQ(get_event(), EAGAIN);
    EXPECT_EQ(cm.count(RDMA_USER_CM_CMD_REJECT), 1u);
    EXPECT_EQ(cm.ids().size(), 1u);
    EXPECT_NE(log.str().find("192.0.2.1"), std::string::npos);
    // The guest waits for the events that it is told of.
    cm.request(gid("10.9.0.1"), kTcpPort, gid("10.9.0.5"));
    event();
    ASSERT_EQ(destroy(listener), 0);
    EXPECT_EQ(answered<rdma_ucm_destroy_id_resp>().events_reported, 1u);
}

TEST_F(UcmaTest, APeersOnlyNameIsShown) {
    config.addresses.peers.push_back({"", *parse_gid_prefix("10.77.0.50"), gid("198.51.100.7")});
    file.reset();
    context.reset();
    port.reset();
    SetUp();
    listening("10.77.0.1");
    const uint32_t request = cm.request(gid("10.9.0.1"), kTcpPort, gid("198.51.100.7"));
    event();
    EXPECT_EQ(text(route(request).dst_addr), "10.77.0.50:4711");
    rdma_ucm_init_qp_attr attributes{};
    attributes.id = request;
    ASSERT_EQ(run(RDMA_USER_CM_CMD_INIT_QP_ATTR, attributes), 0);
    EXPECT_EQ(gid_text(answered<ib_uverbs_qp_attr>().ah_attr.grh.dgid), "10.77.0.50");
}

TEST_F(UcmaTest, ADatagramsEventHasThePathOfTheGuest) {
    RecordingSink others;
    const auto bob = rnic->open_port("bob", others).value();
    ASSERT_TRUE(bob->add_gid(0, gid("10.77.0.2"), kRoceV2));
    ASSERT_TRUE(port->add_gid(5, gid("10.77.0.6"), kRoceV2));
    const uint32_t id = create(0x1, RDMA_PS_UDP);
    ASSERT_EQ(resolve(id, "10.77.0.2", "10.77.0.6"), 0);
    cm.report_datagram(kEstablishedEvent, id, gid("10.9.0.1"));
    const auto path = event().param.ud.ah_attr;
    EXPECT_EQ(gid_text(path.grh.dgid), "10.77.0.2");
    EXPECT_EQ(path.grh.sgid_index, 5);
    EXPECT_EQ(path.port_num, 1);
}

TEST_F(UcmaTest, AGroupIsJoinedAndLeft) {
    const uint32_t id = create(0x1, RDMA_PS_UDP);
    ASSERT_EQ(resolve(id, "239.1.2.3"), 0);
    rdma_ucm_join_ip_mcast join{};
    join.uid = 0x66;
    join.id = id;
    put(socket_address(gid("10.9.0.5"), 0), join.addr);
    EXPECT_EQ(run(RDMA_USER_CM_CMD_JOIN_IP_MCAST, join), EINVAL) << "no group";
    put(socket_address(gid("239.1.2.3"), 0), join.addr);
    ASSERT_EQ(run(RDMA_USER_CM_CMD_JOIN_IP_MCAST, join), 0);
    const uint32_t group = answered<rdma_ucm_create_id_resp>().id;

    cm.report_group(kMulticastJoinEvent, group, gid("239.1.2.3"));
    const auto got = event();
    EXPECT_EQ(got.uid, 0x66u);
    EXPECT_EQ(got.id, group);
    EXPECT_EQ(gid_text(got.param.ud.ah_attr.grh.dgid), "239.1.2.3");
    EXPECT_EQ(got.param.ud.ah_attr.grh.sgid_index, 0);

    rdma_ucm_destroy_id leave{};
    leave.id = group;
    const auto other = open_file(1);
    EXPECT_EQ(run(*other, RDMA_USER_CM_CMD_LEAVE_MCAST, leave), EINVAL);
    ASSERT_EQ(run(RDMA_USER_CM_CMD_LEAVE_MCAST, leave), 0);
    EXPECT_EQ(answered<rdma_ucm_destroy_id_resp>().events_reported, 1u);
    EXPECT_EQ(run(RDMA_USER_CM_CMD_LEAVE_MCAST, leave), ENOENT);
}

}  // namespace
}  // namespace vrdma::uverbs
