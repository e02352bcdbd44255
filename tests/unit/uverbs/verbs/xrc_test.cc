// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Extended reliable connections on an adapter whose driver has them.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <infiniband/verbs.h>
#include <rdma/mlx5-abi.h>

#include <cstring>

#include "rnic/uverbs/vendors/vendor_table.h"
#include "state/device.pb.h"
#include "state/files.h"
#include "unit/uverbs/fixture.h"

namespace vrdma::uverbs {
namespace {

class UverbsXrc : public GuestTest {
  protected:
    UverbsXrc() {
        host.driver_id = RDMA_DRIVER_MLX5;
        host.uverbs_abi_version = 1;
        kernel.device_attributes.device_cap_flags = IB_UVERBS_DEVICE_XRC;
    }
    void SetUp() override {
        make_rnic();
        port = rnic->open_port("alice", sink).value();
        context = open();
    }
    std::unique_ptr<rnic::Context> open() {
        TestUdata bytes(sizeof(mlx5_ib_alloc_ucontext_req));
        auto udata = bytes.udata();
        return port->alloc_context(udata).value();
    }
    Result<std::unique_ptr<rnic::SharedReceiveQueue>> try_srq(rnic::Context& of,
                                                              rnic::Context::XrcSrqInit& init) {
        TestUdata bytes(offsetof(mlx5_ib_create_srq, uidx), sizeof(mlx5_ib_create_srq_resp));
        auto udata = bytes.udata();
        return of.create_xrc_srq(17, init, udata);
    }
    static rnic::Context::QpInit target_init() {
        rnic::Context::QpInit init;
        init.qp_type = IB_UVERBS_QPT_XRC_TGT;
        return init;
    }
    std::unique_ptr<rnic::CompletionQueue> make_mlx5_cq(rnic::Context& of) {
        TestUdata bytes(offsetof(mlx5_ib_create_cq, uar_page_index),
                        sizeof(mlx5_ib_create_cq_resp));
        auto udata = bytes.udata();
        rnic::CqAttributes attributes{.cqe = 100, .comp_vector = 0, .flags = 0};
        return of.create_cq(1, attributes, udata).value();
    }
};

TEST_F(UverbsXrc, IsOfferedWhenTheAdapterHasItAndTheEntryDoes) {
    EXPECT_TRUE(rnic->attributes().has_xrc);
    EXPECT_EQ(rnic->attributes().device_cap_flags, uint64_t{IB_UVERBS_DEVICE_XRC});
    kernel.device_attributes.device_cap_flags = 0;
    context.reset();
    port.reset();
    make_rnic();
    EXPECT_FALSE(rnic->attributes().has_xrc);
}

TEST_F(UverbsXrc, IsNotOfferedOnADriverWhoseTargetsTakeMemory) {
    context.reset();
    port.reset();
    host.driver_id = RDMA_DRIVER_MLX4;
    host.uverbs_abi_version = kMlx4Entry.abi_versions[0];
    make_rnic();
    EXPECT_FALSE(rnic->attributes().has_xrc);
    EXPECT_EQ(rnic->attributes().device_cap_flags, 0U);
    auto mlx4 = rnic->open_port("alice", sink).value();
    EXPECT_EQ(mlx4->alloc_xrcd().error(), Errno{EOPNOTSUPP});
    EXPECT_EQ(kernel.count(IB_USER_VERBS_CMD_OPEN_XRCD), 0U);
}

TEST_F(UverbsXrc, TheDomainsOfAGuestAreInOneFileAsLongAsThereAreAny) {
    const size_t before = kernel.open_files();
    auto first = port->alloc_xrcd().value();
    auto second = port->alloc_xrcd().value();
    EXPECT_EQ(kernel.open_files(), before + 1);
    EXPECT_EQ(kernel.xrc_domains(), 2U) << "each has an inode of its own";
    first.reset();
    EXPECT_EQ(kernel.open_files(), before + 1);
    second.reset();
    EXPECT_EQ(kernel.open_files(), before);
    EXPECT_EQ(kernel.xrc_domains(), 0U);
}

TEST_F(UverbsXrc, GuestsShareNoDomain) {
    auto other = rnic->open_port("bob", sink).value();
    auto alices = port->alloc_xrcd().value();
    auto bobs = other->alloc_xrcd().value();
    EXPECT_EQ(kernel.xrc_domains(), 2U);
}

TEST_F(UverbsXrc, QueuesOfTwoContextsAreInOneDomain) {
    auto xrcd = port->alloc_xrcd().value();
    auto second = open();
    for (rnic::Context* of : {context.get(), second.get()}) {
        TestUdata none;
        auto udata = none.udata();
        auto pd = of->alloc_pd(udata).value();
        auto cq = make_mlx5_cq(*of);
        rnic::Context::XrcSrqInit init{
            .pd = pd.get(),
            .xrcd = xrcd.get(),
            .cq = cq.get(),
            .attributes = {.max_wr = 20, .max_sge = 2, .srq_limit = 5},
        };
        auto srq = try_srq(*of, init);
        ASSERT_TRUE(srq) << log.str();
        const auto request = kernel.last(IB_USER_VERBS_CMD_CREATE_XSRQ).as<ib_uverbs_create_xsrq>();
        EXPECT_EQ(request.user_handle, 17U);
        EXPECT_EQ(request.srq_type, uint32_t{IB_UVERBS_SRQT_XRC});
        EXPECT_EQ(request.max_wr, 20U);
        EXPECT_EQ(request.srq_limit, 5U);
        EXPECT_NE(init.srq_num, 0U);
        EXPECT_EQ(init.attributes.max_wr, 31U) << "what the kernel made";
        EXPECT_EQ(kernel.xrc_domains(), 1U);
        EXPECT_EQ(kernel.live(Kind::kXrcd), 2U) << "the port's, and the queue's context's";
        srq->reset();
        EXPECT_EQ(kernel.live(Kind::kXrcd), 1U);
    }
    EXPECT_EQ(kernel.busy_destructions(), 0U);
}

TEST_F(UverbsXrc, AQueueThatTheKernelRefusesLeavesNothing) {
    auto xrcd = port->alloc_xrcd().value();
    TestUdata none;
    auto udata = none.udata();
    auto pd = context->alloc_pd(udata).value();
    auto cq = make_mlx5_cq(*context);
    rnic::Context::XrcSrqInit init{
        .pd = pd.get(), .xrcd = xrcd.get(), .cq = cq.get(), .attributes = {}};
    kernel.refuse(IB_USER_VERBS_CMD_CREATE_XSRQ, ENOMEM);
    EXPECT_EQ(try_srq(*context, init).error(), Errno{ENOMEM});
    kernel.refuse(IB_USER_VERBS_CMD_OPEN_XRCD, EMFILE);
    EXPECT_EQ(try_srq(*context, init).error(), Errno{EMFILE});
    EXPECT_EQ(kernel.live(Kind::kXrcd), 1U);
}

TEST_F(UverbsXrc, ATargetStaysWhenTheContextsEnd) {
    auto xrcd = port->alloc_xrcd().value();
    auto init = target_init();
    auto qp = xrcd->create_target_qp(5, init).value();
    const auto command = kernel.last(IB_USER_VERBS_CMD_CREATE_QP);
    EXPECT_EQ(command.as<ib_uverbs_create_qp>().qp_type, IB_UVERBS_QPT_XRC_TGT);
    EXPECT_EQ(command.as<ib_uverbs_create_qp>().user_handle, 5U);
    ASSERT_EQ(command.udata_in.size(), sizeof(mlx5_ib_create_qp));
    mlx5_ib_create_qp bytes;
    std::memcpy(&bytes, command.udata_in.data(), sizeof(bytes));
    EXPECT_EQ(bytes.uidx, 0xffffffU) << "none";
    EXPECT_EQ(bytes.buf_addr, 0U);
    context.reset();
    EXPECT_EQ(kernel.live(Kind::kQp), 1U);
    kernel.report(IBV_EVENT_QP_LAST_WQE_REACHED, 5);
    EXPECT_THAT(sink.events(1), testing::ElementsAre(RecordingSink::Event{
                                    rnic::AsyncEventType::kQpLastWqeReached, 5}));
    qp.reset();
    xrcd.reset();
    EXPECT_EQ(kernel.busy_destructions(), 0U);
}

TEST_F(UverbsXrc, ATargetHasNoFlags) {
    auto xrcd = port->alloc_xrcd().value();
    auto init = target_init();
    init.create_flags = IB_UVERBS_QP_CREATE_BLOCK_MULTICAST_LOOPBACK;
    EXPECT_EQ(xrcd->create_target_qp(5, init).error(), Errno{EOPNOTSUPP});
}

TEST_F(UverbsXrc, AnInitiatorHasNoCqToReceive) {
    TestUdata none;
    auto no_udata = none.udata();
    auto pd = context->alloc_pd(no_udata).value();
    auto cq = make_mlx5_cq(*context);
    auto init = qp_init(*pd, *cq);
    init.recv_cq = nullptr;
    init.qp_type = IB_UVERBS_QPT_XRC_INI;
    TestUdata bytes(offsetof(mlx5_ib_create_qp, ece_options), sizeof(mlx5_ib_create_qp_resp));
    auto udata = bytes.udata();
    ASSERT_TRUE(context->create_qp(3, init, udata)) << log.str();
    EXPECT_EQ(kernel.last(IB_USER_VERBS_CMD_CREATE_QP).as<ib_uverbs_create_qp>().recv_cq_handle,
              0U);
}

// The objects of XRC that a guest has, each after those that it refers to.
struct XrcObjects {
    std::unique_ptr<rnic::Context> context;
    std::unique_ptr<rnic::XrcDomain> xrcd;
    std::unique_ptr<rnic::ProtectionDomain> pd;
    std::unique_ptr<rnic::CompletionQueue> cq;
    std::unique_ptr<rnic::SharedReceiveQueue> srq;
    std::unique_ptr<rnic::QueuePair> target;

    void drop() {
        target.reset();
        srq.reset();
        cq.reset();
        pd.reset();
        xrcd.reset();
        context.reset();
    }
};

TEST_F(UverbsXrc, ASuccessorHasTheDomainsWithTheirQueuesAndTargets) {
    kernel.files_travel = true;
    context.reset();
    XrcObjects own;
    own.context = open();
    own.xrcd = port->alloc_xrcd().value();
    TestUdata none;
    auto udata = none.udata();
    own.pd = own.context->alloc_pd(udata).value();
    own.cq = make_mlx5_cq(*own.context);
    rnic::Context::XrcSrqInit init{.pd = own.pd.get(),
                                   .xrcd = own.xrcd.get(),
                                   .cq = own.cq.get(),
                                   .attributes = {.max_wr = 20, .max_sge = 2, .srq_limit = 0}};
    own.srq = try_srq(*own.context, init).value();
    auto qp_init = target_init();
    own.target = own.xrcd->create_target_qp(5, qp_init).value();
    const auto live = [&] {
        return std::vector{kernel.live(Kind::kXrcd), kernel.live(Kind::kSrq),
                           kernel.live(Kind::kQp)};
    };
    const auto before = live();

    auto pause = rnic->pause();
    state::FilesToSend files;
    state::Session saved;
    ASSERT_TRUE(port->save(*saved.mutable_port(), files));
    ASSERT_TRUE(own.context->save(*saved.add_contexts(), files));
    ASSERT_TRUE(own.xrcd->save(*saved.add_xrcds(), files));
    ASSERT_TRUE(own.pd->save(*saved.add_pds()));
    ASSERT_TRUE(own.cq->save(*saved.add_cqs()));
    saved.mutable_cqs(0)->set_handle(1);
    ASSERT_TRUE(own.srq->save(*saved.add_srqs()));
    ASSERT_TRUE(own.target->save(*saved.add_qps()));
    saved.mutable_qps(0)->set_handle(5);

    std::vector<FileDescriptor> copies;
    for (const int fd : files.all()) {
        copies.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    }
    state::ReceivedFiles received(std::move(copies));
    auto predecessor = std::move(rnic);
    make_rnic();
    auto still = rnic->pause();
    RecordingSink second_sink;
    auto second = rnic->open_port("alice", second_sink).value();
    ASSERT_TRUE(second->restore(saved.port(), received));
    XrcObjects successors;
    successors.context = second->restore_context(saved.contexts(0), received).value();
    successors.xrcd = second->restore_xrcd(saved.xrcds(0), received).value();
    successors.pd = successors.context->restore_pd(saved.pds(0)).value();
    successors.cq = successors.context->restore_cq(saved.cqs(0)).value();
    successors.srq = successors.context->restore_xrc_srq(saved.srqs(0)).value();
    successors.target = successors.xrcd->restore_target_qp(saved.qps(0)).value();
    own.drop();
    port.reset();
    EXPECT_EQ(live(), before);
    still.reset();

    kernel.report(IBV_EVENT_QP_LAST_WQE_REACHED, 5);
    // The fake kernel tells each context of the guest's.
    EXPECT_THAT(second_sink.events(1),
                testing::Each(RecordingSink::Event{rnic::AsyncEventType::kQpLastWqeReached, 5}));
    auto another = successors.xrcd->create_target_qp(6, qp_init);
    EXPECT_TRUE(another);
    another->reset();
    successors.drop();
    EXPECT_EQ(live(), std::vector<size_t>(before.size(), 0));
    EXPECT_EQ(kernel.busy_destructions(), 0U);
    second.reset();
    pause.reset();
}

TEST_F(UverbsXrc, ADomainOfAnRnicThatIsGoneIsRefused) {
    removal->pull();
    EXPECT_TRUE(eventually([&] { return !port->alloc_xrcd(); }));
    EXPECT_EQ(port->alloc_xrcd().error(), Errno{ENODEV});
}

}  // namespace
}  // namespace vrdma::uverbs
