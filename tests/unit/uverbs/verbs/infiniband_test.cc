// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A port on InfiniBand: paths by LID, and the tables of the host's port.
#include <gmock/gmock.h>
#include <infiniband/verbs.h>

#include "unit/uverbs/fixture.h"

namespace vrdma::uverbs {
namespace {

using testing::HasSubstr;

class UverbsInfiniBand : public GuestTest {
  protected:
    static constexpr uint16_t kDefaultKey = 0xffff;

    void SetUp() override {
        kernel.port_attributes.link_layer = IBV_LINK_LAYER_INFINIBAND;
        kernel.port_attributes.lid = 7;
        kernel.port_attributes.sm_lid = 1;
        kernel.port_attributes.lmc = 2;
        kernel.port_attributes.gid_tbl_len = 2;
        kernel.port_attributes.pkey_tbl_len = 3;
        sysfs.set_gid("rxe0", 0, "fe80::5054:ff:fe09:1", "IB/RoCE v1", "");
        for (uint32_t index = 2; index < 16; ++index) {
            sysfs.remove_gid("rxe0", index);
        }
        sysfs.set_pkey("rxe0", 0, "0xffff");
        sysfs.set_pkey("rxe0", 1, "0x8001");
        sysfs.set_pkey("rxe0", 2, "0x0000");
        // A connection manager that nobody opens.
        open_rdma_cm = []() -> Result<std::unique_ptr<RdmaCmFile>> { return fail(ENODEV); };
        open("alice");
    }
    void open(const std::string& guest) {
        make_rnic();
        port = rnic->open_port(guest, sink).value();
        rnic::Udata none;
        context = port->alloc_context(none).value();
    }
    // The guest gets these keys.
    void open_with(const std::vector<uint16_t>& keys) {
        context.reset();
        port.reset();
        rnic.reset();
        config.addresses.guests["alice"].pkeys = keys;
        open("alice");
    }
    Result<void> modify(uint32_t mask, const rnic::QpAttributes& attributes) {
        rnic::Udata none;
        return qp().modify(mask, attributes, none);
    }
    ib_uverbs_modify_qp modified() {
        return kernel.last(IB_USER_VERBS_CMD_MODIFY_QP).as<ib_uverbs_modify_qp>();
    }
    rnic::QueuePair& qp() {
        if (qp_ == nullptr) {
            pd_ = make_pd();
            cq_ = make_cq(1);
            qp_ = make_qp(2, *pd_, *cq_);
        }
        return *qp_;
    }
    void TearDown() override {
        qp_.reset();
        cq_.reset();
        pd_.reset();
    }

  private:
    std::unique_ptr<rnic::ProtectionDomain> pd_;
    std::unique_ptr<rnic::CompletionQueue> cq_;
    std::unique_ptr<rnic::QueuePair> qp_;
};

TEST_F(UverbsInfiniBand, TheDeviceOffersNoConnections) {
    EXPECT_TRUE(rnic->attributes().infiniband);
    EXPECT_FALSE(rnic->attributes().ucma);
    EXPECT_FALSE(rnic->attributes().iwarp);
    EXPECT_THAT(log.str(), HasSubstr("cannot make connections with librdmacm"));
}

TEST_F(UverbsInfiniBand, TheGuestsPortIsTheHosts) {
    const rnic::PortAttributes attributes = port->query_port();
    EXPECT_EQ(attributes.lid, 7);
    EXPECT_EQ(attributes.sm_lid, 1);
    EXPECT_EQ(attributes.lmc, 2);
    EXPECT_EQ(attributes.gid_tbl_len, 2u);
    EXPECT_EQ(port->query_gid(0).value(), gid("fe80::5054:ff:fe09:1"));
    EXPECT_EQ(port->query_gid(1).value(), rnic::Gid{});
    EXPECT_EQ(port->query_gid(2).error(), Errno{EINVAL});
}

TEST_F(UverbsInfiniBand, TheGuestAddsNoGids) {
    EXPECT_EQ(port->add_gid(1, gid("10.77.0.1"), kRoceV2).error(), Errno{EOPNOTSUPP});
    EXPECT_EQ(port->del_gid(1).error(), Errno{EOPNOTSUPP});
}

TEST_F(UverbsInfiniBand, AGuestWithoutKeysHasTheHostsFirstOne) {
    EXPECT_EQ(port->query_port().pkey_tbl_len, 1);
    EXPECT_EQ(port->query_pkey(0).value(), kDefaultKey);
    EXPECT_EQ(port->query_pkey(1).error(), Errno{EINVAL});
    rnic::QpAttributes attributes;
    attributes.pkey_index = 0;
    EXPECT_TRUE(modify(IBV_QP_PKEY_INDEX, attributes));
    attributes.pkey_index = 1;
    EXPECT_EQ(modify(IBV_QP_PKEY_INDEX, attributes).error(), Errno{EINVAL});
}

TEST_F(UverbsInfiniBand, AGuestUsesItsKeysByItsOwnIndexes) {
    open_with({0x8001, kDefaultKey});
    EXPECT_EQ(port->query_port().pkey_tbl_len, 2);
    EXPECT_EQ(port->query_pkey(0).value(), 0x8001);
    EXPECT_EQ(port->query_pkey(1).value(), kDefaultKey);
    rnic::QpAttributes attributes;
    attributes.pkey_index = 0;
    ASSERT_TRUE(modify(IBV_QP_PKEY_INDEX, attributes));
    EXPECT_EQ(modified().pkey_index, 1) << "the host's index of 0x8001";
    attributes.pkey_index = 1;
    ASSERT_TRUE(modify(IBV_QP_PKEY_INDEX, attributes));
    EXPECT_EQ(modified().pkey_index, 0);
    EXPECT_EQ(qp().query().value().pkey_index, 1) << "the guest's own index";
}

TEST_F(UverbsInfiniBand, AKeyFollowsTheHostsTable) {
    open_with({0x8001});
    sysfs.set_pkey("rxe0", 1, "0x0000");
    EXPECT_EQ(port->query_pkey(0).value(), 0);
    rnic::QpAttributes attributes;
    attributes.pkey_index = 0;
    EXPECT_EQ(modify(IBV_QP_PKEY_INDEX, attributes).error(), Errno{EINVAL});
    sysfs.set_pkey("rxe0", 2, "0x8001");
    EXPECT_EQ(port->query_pkey(0).value(), 0x8001);
    ASSERT_TRUE(modify(IBV_QP_PKEY_INDEX, attributes));
    EXPECT_EQ(modified().pkey_index, 2);
}

TEST_F(UverbsInfiniBand, AQueuePairsPathIsByLid) {
    rnic::QpAttributes attributes;
    attributes.ah = {.sl = 3, .port = 1, .dlid = 9, .src_path_bits = 1};
    ASSERT_TRUE(modify(IBV_QP_AV, attributes));
    EXPECT_EQ(modified().dest.dlid, 9);
    EXPECT_EQ(modified().dest.src_path_bits, 1);
    EXPECT_EQ(modified().dest.sl, 3);
    EXPECT_EQ(modified().dest.is_global, 0);
    const rnic::AhAttributes ah = qp().query().value().ah;
    EXPECT_EQ(ah.dlid, 9);
    EXPECT_FALSE(ah.has_grh);
}

TEST_F(UverbsInfiniBand, AnAddressHandleHasLidAndGlobalRoute) {
    auto pd = make_pd();
    rnic::AhAttributes attributes{.sgid_index = 1, .port = 1, .dlid = 9, .has_grh = true};
    attributes.dgid = gid("fe80::2");
    TestUdata bytes(0, 8);
    auto udata = bytes.udata();
    auto ah = context->create_ah(*pd, attributes, udata);
    ASSERT_TRUE(ah);
    const auto request = kernel.last(IB_USER_VERBS_CMD_CREATE_AH).as<ib_uverbs_create_ah>();
    EXPECT_EQ(request.attr.dlid, 9);
    EXPECT_EQ(request.attr.is_global, 1);
    EXPECT_EQ(request.attr.grh.sgid_index, 1);
    EXPECT_THAT(request.attr.grh.dgid, testing::ElementsAreArray(attributes.dgid));
    attributes.port = 2;
    EXPECT_EQ(context->create_ah(*pd, attributes, udata).error(), Errno{EINVAL});
}

TEST_F(UverbsInfiniBand, AGroupIsAttachedWithItsLid) {
    ASSERT_TRUE(qp().attach_mcast(gid("ff12:401b:ffff::1"), 0xc005));
    const auto request = kernel.last(IB_USER_VERBS_CMD_ATTACH_MCAST).as<ib_uverbs_attach_mcast>();
    EXPECT_EQ(request.mlid, 0xc005);
    EXPECT_TRUE(qp().detach_mcast(gid("ff12:401b:ffff::1"), 0xc005));
}

TEST_F(UverbsInfiniBand, TheGuestHearsOfWhatTheSubnetManagerChanges) {
    for (const auto& [event, type] :
         {std::pair{IBV_EVENT_LID_CHANGE, rnic::AsyncEventType::kLidChange},
          std::pair{IBV_EVENT_PKEY_CHANGE, rnic::AsyncEventType::kPkeyChange},
          std::pair{IBV_EVENT_SM_CHANGE, rnic::AsyncEventType::kSmChange},
          std::pair{IBV_EVENT_CLIENT_REREGISTER, rnic::AsyncEventType::kClientReregister},
          std::pair{IBV_EVENT_GID_CHANGE, rnic::AsyncEventType::kGidChange}}) {
        kernel.report(event, 1);
        EXPECT_TRUE(eventually([&, wanted = type] { return sink.events(wanted, 1) == 1; }));
    }
}

}  // namespace
}  // namespace vrdma::uverbs
