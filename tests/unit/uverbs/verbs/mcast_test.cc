// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Queue pairs and address handles in multicast groups.
#include <gmock/gmock.h>
#include <infiniband/verbs.h>

#include "unit/uverbs/fixture.h"

namespace vrdma::uverbs {
namespace {

using testing::HasSubstr;

class UverbsMulticast : public GuestTest {
  protected:
    void SetUp() override {
        config.addresses.guests["carol"].network = "blue";
        GuestTest::SetUp();
        pd = make_pd();
        cq = make_cq(1);
    }

    Result<std::unique_ptr<rnic::AddressHandle>> make_ah(rnic::Context& of,
                                                         rnic::ProtectionDomain& in,
                                                         const std::string& group) {
        rnic::AhAttributes attributes;
        attributes.port = 1;
        attributes.dgid = gid(group);
        TestUdata bytes(0, 8);
        auto udata = bytes.udata();
        return of.create_ah(in, attributes, udata);
    }

    // A guest of another network, with a user context and a domain.
    struct Stranger {
        std::unique_ptr<rnic::Port> port;
        std::unique_ptr<rnic::Context> context;
        std::unique_ptr<rnic::ProtectionDomain> pd;
    };
    Stranger make_stranger() {
        Stranger carol;
        rnic::Udata none;
        carol.port = rnic->open_port("carol", sink).value();
        EXPECT_TRUE(carol.port->add_gid(0, gid("10.77.0.1"), kRoceV2));
        carol.context = carol.port->alloc_context(none).value();
        carol.pd = carol.context->alloc_pd(none).value();
        return carol;
    }

    const rnic::Gid group = gid("239.1.2.3");
    std::unique_ptr<rnic::ProtectionDomain> pd;
    std::unique_ptr<rnic::CompletionQueue> cq;
};

TEST_F(UverbsMulticast, AGroupKeepsItsNameOnTheHost) {
    auto qp = make_qp(2, *pd, *cq);
    ASSERT_TRUE(qp->attach_mcast(group, 0xc001));
    const auto request = kernel.last(IB_USER_VERBS_CMD_ATTACH_MCAST).as<ib_uverbs_attach_mcast>();
    EXPECT_THAT(request.gid, testing::ElementsAreArray(group));
    EXPECT_EQ(request.mlid, 0xc001);
}

TEST_F(UverbsMulticast, DetachingEndsWhatAttachingBegan) {
    auto qp = make_qp(2, *pd, *cq);
    ASSERT_TRUE(qp->attach_mcast(group, 0xc001));
    EXPECT_TRUE(qp->detach_mcast(group, 0)) << "LIDs mean nothing, the kernel gets its own again";
    EXPECT_EQ(qp->detach_mcast(group, 0).error(), Errno{EINVAL});
}

TEST_F(UverbsMulticast, AQueuePairThatIsAttachedCanGo) {
    auto qp = make_qp(2, *pd, *cq);
    ASSERT_TRUE(qp->attach_mcast(group, 0));
    ASSERT_TRUE(qp->attach_mcast(gid("ff0e::7"), 3));
    qp.reset();
    EXPECT_EQ(kernel.busy_destructions(), 0u);
    EXPECT_EQ(kernel.live(Kind::kQp), 0u);
}

TEST_F(UverbsMulticast, OnlyMulticastGroupsAreJoined) {
    auto qp = make_qp(2, *pd, *cq);
    EXPECT_EQ(qp->attach_mcast(gid("10.77.0.2"), 0).error(), Errno{EINVAL});
}

TEST_F(UverbsMulticast, AnAddressHandleOfAGroupNeedsNoPeer) {
    auto ah = make_ah(*context, *pd, "239.1.2.3");
    ASSERT_TRUE(ah) << log.str();
    const auto request = kernel.last(IB_USER_VERBS_CMD_CREATE_AH).as<ib_uverbs_create_ah>();
    EXPECT_THAT(request.attr.grh.dgid, testing::ElementsAreArray(group));
    EXPECT_EQ(request.attr.grh.sgid_index, 3) << "the host's";
}

TEST_F(UverbsMulticast, GuestsOfTwoNetworksDoNotMeetInAGroup) {
    auto carol = make_stranger();
    auto qp = make_qp(2, *pd, *cq);
    ASSERT_TRUE(qp->attach_mcast(group, 0));
    EXPECT_EQ(make_ah(*carol.context, *carol.pd, "239.1.2.3").error(), Errno{EADDRINUSE});
    EXPECT_THAT(log.str(), HasSubstr("another network"));
    EXPECT_TRUE(make_ah(*carol.context, *carol.pd, "239.1.2.4")) << "a group of her own";
    ASSERT_TRUE(qp->detach_mcast(group, 0));
    EXPECT_TRUE(make_ah(*carol.context, *carol.pd, "239.1.2.3"));
}

TEST_F(UverbsMulticast, AnAddressHandleKeepsItsGroupForItsNetwork) {
    auto carol = make_stranger();
    auto hers = make_ah(*carol.context, *carol.pd, "239.1.2.3").value();
    auto qp = make_qp(2, *pd, *cq);
    EXPECT_EQ(qp->attach_mcast(group, 0).error(), Errno{EADDRINUSE});
    hers.reset();
    EXPECT_TRUE(qp->attach_mcast(group, 0));
}

TEST_F(UverbsMulticast, AConnectionHasNoGroupAtItsOtherEnd) {
    auto qp = make_qp(2, *pd, *cq);
    rnic::QpAttributes attributes;
    attributes.ah.port = 1;
    attributes.ah.dgid = group;
    rnic::Udata none;
    EXPECT_EQ(qp->modify(IBV_QP_AV, attributes, none).error(), Errno{ENETUNREACH});
}

}  // namespace
}  // namespace vrdma::uverbs
