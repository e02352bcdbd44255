// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The RNIC as a whole, and the reasons why there may be none.
#include <endian.h>
#include <gmock/gmock.h>
#include <infiniband/verbs.h>
#include <rdma/bnxt_re-abi.h>
#include <rdma/mlx4-abi.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vrdma_udata_memory.h>

#include "rnic/uverbs/addressing/guest_addresses.h"
#include "rnic/uverbs/vendors/vendor_table.h"
#include "unit/uverbs/fixture.h"

namespace vrdma::uverbs {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class UverbsRnicTest : public UverbsTest {
  protected:
    // Says why there is no RNIC.
    std::string refusal() {
        try {
            make_rnic();
        } catch (const HostRnicError& error) {
            return error.what();
        }
        return "there is one";
    }
    uint64_t live(std::string_view kind) {
        for (const auto& count : rnic->live_objects()) {
            if (count.kind == kind) {
                return count.count;
            }
        }
        return ~uint64_t{0};
    }
};

TEST_F(UverbsRnicTest, HasTheAttributesOfTheHosts) {
    kernel.device_attributes.max_mr = 4711;
    kernel.device_attributes.atomic_cap = 1;
    kernel.device_attributes.node_guid = htobe64(0x0102030405060708);
    make_rnic();
    const auto attributes = rnic->attributes();
    EXPECT_EQ(rnic->name(), "rxe0");
    EXPECT_EQ(attributes.max_mr, 4711u);
    EXPECT_EQ(attributes.max_send_sge, 32u);
    EXPECT_EQ(attributes.max_recv_sge, 32u);
    EXPECT_EQ(attributes.atomic_cap, 1u);
    EXPECT_EQ(attributes.node_guid, 0x0102030405060708u);
    EXPECT_EQ(attributes.driver_id, uint32_t{RDMA_DRIVER_RXE});
    EXPECT_EQ(attributes.uverbs_abi_version, 2u);
    EXPECT_TRUE(attributes.has_srq);
    EXPECT_FALSE(attributes.iwarp);
    EXPECT_TRUE(attributes.cq_doorbell) << "librxe arms by a system call";
}

TEST_F(UverbsRnicTest, WithholdsWhatVrdmaHasNoVerbsFor) {
    kernel.device_attributes.device_cap_flags =
        IB_UVERBS_DEVICE_XRC | IB_UVERBS_DEVICE_AUTO_PATH_MIG | IB_UVERBS_DEVICE_RC_RNR_NAK_GEN;
    make_rnic();
    EXPECT_EQ(rnic->attributes().device_cap_flags, uint64_t{IB_UVERBS_DEVICE_RC_RNR_NAK_GEN});
}

TEST_F(UverbsRnicTest, HasTheVerbsThatTheDriverHas) {
    kernel.device_attributes.device_cap_flags =
        IB_UVERBS_DEVICE_MEM_WINDOW | IB_UVERBS_DEVICE_MEM_WINDOW_TYPE_2B;
    kernel.device_attributes.max_mw = 5;
    kernel.device_attributes.max_mcast_grp = 6;
    kernel.device_attributes.max_mcast_qp_attach = 7;
    make_rnic();
    const auto attributes = rnic->attributes();
    EXPECT_TRUE(attributes.has_mw);
    EXPECT_TRUE(attributes.has_rereg_mr);
    EXPECT_TRUE(attributes.has_resize_cq);
    EXPECT_TRUE(attributes.has_mcast);
    EXPECT_EQ(attributes.device_cap_flags,
              uint64_t{IB_UVERBS_DEVICE_MEM_WINDOW} | IB_UVERBS_DEVICE_MEM_WINDOW_TYPE_2B);
    EXPECT_EQ(attributes.max_mw, 5u);
    EXPECT_EQ(attributes.max_mcast_grp, 6u);
    EXPECT_EQ(attributes.max_mcast_qp_attach, 7u);
}

TEST_F(UverbsRnicTest, DoesNotClaimVerbsThatTheDriverLacks) {
    kernel.device_attributes.device_cap_flags = IB_UVERBS_DEVICE_MEM_WINDOW;
    kernel.device_attributes.max_mw = 5;
    kernel.device_attributes.max_mcast_grp = 6;
    kernel.driver_lacks = {IB_USER_VERBS_CMD_REREG_MR, IB_USER_VERBS_CMD_ALLOC_MW,
                           IB_USER_VERBS_CMD_RESIZE_CQ, IB_USER_VERBS_CMD_ATTACH_MCAST};
    make_rnic();
    const auto attributes = rnic->attributes();
    EXPECT_FALSE(attributes.has_mw);
    EXPECT_FALSE(attributes.has_rereg_mr);
    EXPECT_FALSE(attributes.has_resize_cq);
    EXPECT_FALSE(attributes.has_mcast);
    EXPECT_EQ(attributes.device_cap_flags, 0u);
    EXPECT_EQ(attributes.max_mw, 0u);
    EXPECT_EQ(attributes.max_mcast_grp, 0u);
}

TEST_F(UverbsRnicTest, DoesNotResizeCqsWhereTheEntryDoesNotSayHow) {
    host.driver_id = RDMA_DRIVER_MLX4;
    host.uverbs_abi_version = kMlx4Entry.abi_versions[0];
    make_rnic();
    EXPECT_FALSE(rnic->attributes().has_resize_cq);
}

TEST_F(UverbsRnicTest, TellsTheDriverWhichPrivateBytesArePointers) {
    make_rnic();
    ASSERT_EQ(rnic->udata_pointers().size(), 1u);
    EXPECT_EQ(rnic->udata_pointers()[0].opcode, VRDMA_CMD_MODIFY_SRQ);
}

TEST_F(UverbsRnicTest, APortIsTheHostsWithATableOfTheGuestsGids) {
    make_rnic();
    auto port = rnic->open_port("alice", sink).value();
    const auto attributes = port->query_port();
    EXPECT_EQ(attributes.state, uint32_t{IBV_PORT_ACTIVE});
    EXPECT_EQ(attributes.active_mtu, uint32_t{IBV_MTU_1024});
    EXPECT_EQ(attributes.gid_tbl_len, GuestAddresses::kTableLength);
}

TEST_F(UverbsRnicTest, ThePortIsTheConfiguredOne) {
    host.ports = 2;
    config.port = 2;
    make_rnic();
    EXPECT_EQ(kernel.last(IB_USER_VERBS_CMD_QUERY_PORT).as<ib_uverbs_query_port>().port_num, 2);
}

TEST_F(UverbsRnicTest, CountsWhatTheGuestsHave) {
    make_rnic();
    EXPECT_EQ(live("ports"), 0u);
    {
        auto port = rnic->open_port("alice", sink).value();
        TestUdata none;
        auto udata = none.udata();
        auto context = port->alloc_context(udata).value();
        auto pd = context->alloc_pd(udata).value();
        EXPECT_EQ(live("ports"), 1u);
        EXPECT_EQ(live("contexts"), 1u);
        EXPECT_EQ(live("protection_domains"), 1u);
    }
    EXPECT_EQ(live("ports"), 0u);
    EXPECT_EQ(live("contexts"), 0u);
    EXPECT_EQ(live("protection_domains"), 0u);
}

TEST_F(UverbsRnicTest, AnAddressThatTheHostGetsLaterIsKnown) {
    sysfs.clear_gid("rxe0", 3);
    make_rnic();
    auto port = rnic->open_port("alice", sink).value();
    ASSERT_TRUE(port->add_gid(0, gid("10.77.0.1"), 2));
    TestUdata none;
    auto udata = none.udata();
    auto context = port->alloc_context(udata).value();
    auto pd = context->alloc_pd(udata).value();
    rnic::AhAttributes ah;
    ah.port = 1;
    ah.dgid = gid("10.9.0.7");
    TestUdata bytes(0, 8);
    auto answer = bytes.udata();
    ASSERT_FALSE(context->create_ah(*pd, ah, answer));
    sysfs.set_gid("rxe0", 5, "10.9.0.1");
    kernel.report(IBV_EVENT_GID_CHANGE, 1);
    EXPECT_TRUE(eventually([&] { return context->create_ah(*pd, ah, answer).has_value(); }));
}

TEST_F(UverbsRnicTest, NeedsAnEntryForItsDriver) {
    host.driver_id = RDMA_DRIVER_EFA;
    EXPECT_THAT(refusal(),
                AllOf(HasSubstr("rxe0"), HasSubstr("adding-an-rnic.md"), HasSubstr("rdma_rxe"),
                      HasSubstr("driver id 17"), Not(HasSubstr("irdma"))));
}

TEST_F(UverbsRnicTest, NeedsAUserInterfaceThatTheEntryKnows) {
    host.uverbs_abi_version = 9;
    EXPECT_THAT(refusal(), HasSubstr("version 9"));
}

TEST_F(UverbsRnicTest, NeedsADeviceThatOpens) {
    kernel.refuse_open(EACCES);
    EXPECT_THAT(refusal(),
                AllOf(HasSubstr("/dev/infiniband/uverbs0"), HasSubstr("Permission denied")));
}

TEST_F(UverbsRnicTest, NeedsAContextOfTheDriver) {
    kernel.refuse(IB_USER_VERBS_CMD_GET_CONTEXT, EAGAIN);
    EXPECT_THAT(refusal(), HasSubstr("no user context"));
    EXPECT_EQ(kernel.open_files(), 0u);
}

TEST_F(UverbsRnicTest, NeedsThePortThatIsConfigured) {
    config.port = 2;
    EXPECT_THAT(refusal(), AllOf(HasSubstr("no port 2"), HasSubstr("has 1")));
}

TEST_F(UverbsRnicTest, SaysHowFarTheEntryHasBeenTested) {
    make_rnic();
    EXPECT_THAT(log.str(), HasSubstr("rdma_rxe is in the state 'tested'"));
}

TEST_F(UverbsRnicTest, Mlx5RingsForItself) {
    host.driver_id = RDMA_DRIVER_MLX5;
    host.uverbs_abi_version = 1;
    make_rnic();
    EXPECT_THAT(log.str(), HasSubstr(std::string(to_string(kMlx5Entry.tested))));
    EXPECT_FALSE(rnic->attributes().cq_doorbell);
    EXPECT_EQ(kernel.last(IB_USER_VERBS_CMD_GET_CONTEXT).udata_in.size(), 8u);
}

TEST_F(UverbsRnicTest, SaysWhyGuestsGetNoRnicsOfADriver) {
    host.driver_id = RDMA_DRIVER_IRDMA;
    host.uverbs_abi_version = 5;
    EXPECT_THAT(refusal(), AllOf(HasSubstr("not given RNICs of the driver irdma"),
                                 HasSubstr("docs/adding-an-rnic.md")));
}

TEST_F(UverbsRnicTest, GivesGuestsAnRnicWhoseObstacleIsAccepted) {
    host.driver_id = RDMA_DRIVER_IRDMA;
    host.uverbs_abi_version = 5;
    config.accepted_obstacle = "irdma";
    make_rnic();
    EXPECT_EQ(rnic->attributes().driver_id, uint32_t{RDMA_DRIVER_IRDMA});
    EXPECT_THAT(log.str(),
                AllOf(HasSubstr("accept_obstacle"), HasSubstr(std::string(kIrdmaEntry.obstacle))));
}

TEST_F(UverbsRnicTest, AnObstacleOfAnotherDriverIsNotAccepted) {
    host.driver_id = RDMA_DRIVER_IRDMA;
    host.uverbs_abi_version = 5;
    config.accepted_obstacle = "iw_cxgb4";
    EXPECT_THAT(refusal(), HasSubstr("accept_obstacle = \"irdma\""));
}

TEST_F(UverbsRnicTest, SaysWhichDevicesOfADriverItKnows) {
    host.driver_id = RDMA_DRIVER_BNXT_RE;
    host.uverbs_abi_version = 1;
    EXPECT_THAT(refusal(), HasSubstr("only for BCM57502, BCM57504 and BCM57508"));
}

// A BCM57508 of bnxt_re.
class BnxtReTest : public UverbsRnicTest {
  protected:
    BnxtReTest() {
        host.driver_id = RDMA_DRIVER_BNXT_RE;
        host.uverbs_abi_version = 1;
        bnxt_re_uctx_resp answer{};
        answer.chip_id0 = 0x1750;
        const auto bytes = std::as_bytes(std::span(&answer, 1));
        kernel.answer(IB_USER_VERBS_CMD_GET_CONTEXT, {bytes.begin(), bytes.end()});
    }
};

TEST_F(BnxtReTest, GuestsMapOnlyWhatTheirContextWasTold) {
    bnxt_re_pd_resp answer{};
    answer.dbr = 0xfd00'3000;
    const auto bytes = std::as_bytes(std::span(&answer, 1));
    kernel.answer(IB_USER_VERBS_CMD_ALLOC_PD, {bytes.begin(), bytes.end()});
    make_rnic();
    auto port = rnic->open_port("alice", sink).value();
    TestUdata none(0, sizeof(bnxt_re_uctx_resp));
    auto udata = none.udata();
    auto context = port->alloc_context(udata).value();
    auto refused = context->mmap(answer.dbr, 4096);
    ASSERT_FALSE(refused);
    EXPECT_EQ(to_int(refused.error()), EINVAL);
    TestUdata pd_bytes(0, sizeof(answer));
    auto pd_udata = pd_bytes.udata();
    const auto pd = context->alloc_pd(pd_udata).value();
    auto doorbells = context->mmap(answer.dbr, 4096);
    ASSERT_TRUE(doorbells);
    EXPECT_EQ(doorbells->caching, uint32_t{VRDMA_MMAP_NONCACHED});
    EXPECT_FALSE(context->mmap(answer.dbr + 4096, 4096)) << "the doorbells of another context";
}

// Linux 6.1: the file of a context maps all of the host's memory.
TEST_F(BnxtReTest, IsNotGivenByAKernelThatMapsEveryPage) {
    const FileDescriptor everything(::memfd_create("memory", MFD_CLOEXEC));
    ASSERT_EQ(::ftruncate(everything.get(), 1 << 20), 0);
    kernel.file_fd = everything.get();
    EXPECT_THAT(refusal(), HasSubstr("maps every page of the host's memory"));
}

TEST_F(UverbsRnicTest, GivesGuestsTheScalesOfTheDevice) {
    host.driver_id = RDMA_DRIVER_MLX4;
    host.uverbs_abi_version = 4;
    mlx4_ib_alloc_ucontext_resp answer{};
    answer.cqe_size = 32;
    const auto bytes = std::as_bytes(std::span(&answer, 1));
    kernel.answer(IB_USER_VERBS_CMD_GET_CONTEXT, {bytes.begin(), bytes.end()});
    make_rnic();
    ASSERT_EQ(rnic->udata_pointers().size(), kMlx4Entry.pointers.size());
    EXPECT_EQ(rnic->udata_pointers()[0].terms[0].scale_a, 32u);
}

TEST_F(UverbsRnicTest, AnIwarpRnicIsSaidToBe) {
    host.driver_id = RDMA_DRIVER_SIW;
    host.uverbs_abi_version = 1;
    make_rnic();
    EXPECT_TRUE(rnic->attributes().iwarp);
    EXPECT_FALSE(rnic->attributes().cq_doorbell);
    auto port = rnic->open_port("alice", sink).value();
    EXPECT_EQ(port->query_port().gid_tbl_len, 1u);
}

}  // namespace
}  // namespace vrdma::uverbs
