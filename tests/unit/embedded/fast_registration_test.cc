// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Memory that work requests register and invalidate (IBTA 1.4, 10.6.5).
#include <algorithm>
#include <memory>
#include <thread>

#include "kernel_memory.h"
#include "rnic/embedded/sync/grace_period.h"

namespace vrdma::embedded::test {
namespace {

constexpr uint64_t kPage = KernelMemory::kPage;
constexpr uint64_t kIova = 0x1234000;

// Bob's kernel lends pages to Alice.
class FastRegistrations : public TwoGuests {
  protected:
    FastRegistrations() : kernel(b.guest), mr(kernel.alloc_mr(8)), pages(kernel.pages(3)) {
        KernelMemory::describe(mr, kIova, 3 * kPage, pages);
        connect(a.qp, b.qp);
    }

    WcStatus bob(const SendWr& wr) {
        b.qp.post_send(wr);
        settle();
        return status_of(only_completion(b.send_cq));
    }
    WcStatus alice(const SendWr& wr) {
        a.qp.post_send(wr);
        settle();
        return status_of(only_completion(a.send_cq));
    }
    SendWr write_to(uint64_t address, uint32_t key, uint32_t length) const {
        SendWr wr = write_wr(0, 0, length);
        wr.remote_address = address;
        wr.rkey = key;
        return wr;
    }
    SendWr send_invalidate(uint32_t key) const {
        SendWr wr = send_wr(0, 16);
        wr.opcode = WrOpcode::kSendWithInvalidate;
        wr.immediate = key;
        return wr;
    }
    void register_all(uint32_t access = kAllAccess) {
        ASSERT_EQ(bob(reg_mr_wr(mr.key(), access)), WcStatus::kSuccess);
    }
    void expect_refused(const SendWr& wr) {
        EXPECT_EQ(bob(wr), WcStatus::kMemoryManagementError);
        EXPECT_EQ(b.qp.state(), QpState::kError);
    }

    KernelMemory kernel;
    KernelMemory::FastMr mr;
    std::vector<uint64_t> pages;
};

TEST_F(FastRegistrations, GiveARegionItsPages) {
    register_all();
    const auto data = pattern(3 * kPage);
    a.fill(0, data);
    EXPECT_EQ(alice(write_to(kIova, mr.key(), 3 * kPage)), WcStatus::kSuccess);
    for (size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(kernel.bytes(pages[i], kPage), a.bytes(i * kPage, kPage)) << i;
    }
}

TEST_F(FastRegistrations, CompleteUnderTheirOwnOpcodes) {
    b.qp.post_send(reg_mr_wr(mr.key(), kAllAccess));
    b.qp.post_send(local_invalidate_wr(mr.key()));
    settle();
    auto wc = b.send_cq.poll().value();
    EXPECT_EQ(opcode_of(wc), WcOpcode::kRegisterMr);
    EXPECT_EQ(wc.wr_id, 3u);
    wc = b.send_cq.poll().value();
    EXPECT_EQ(opcode_of(wc), WcOpcode::kLocalInvalidate);
    EXPECT_EQ(wc.wr_id, 4u);
}

TEST_F(FastRegistrations, MayBeginAndEndWithinAPage) {
    KernelMemory::describe(mr, kIova + 100, 2 * kPage, pages);
    register_all();
    const auto data = pattern(2 * kPage);
    a.fill(0, data);
    EXPECT_EQ(alice(write_to(kIova + 100, mr.key(), 2 * kPage)), WcStatus::kSuccess);
    EXPECT_EQ(kernel.bytes(pages[0] + 100, kPage - 100), a.bytes(0, kPage - 100));
    EXPECT_EQ(kernel.bytes(pages[2], 100), a.bytes(2 * kPage - 100, 100));
}

TEST_F(FastRegistrations, EndAtTheLengthNotAtThePage) {
    KernelMemory::describe(mr, kIova, kPage + 8, pages);
    register_all();
    EXPECT_EQ(alice(write_to(kIova + kPage, mr.key(), 9)), WcStatus::kRemoteAccessError);
}

TEST_F(FastRegistrations, ServeAsLocalMemoryToo) {
    register_all();
    const auto data = pattern(2 * kPage);
    a.fill(0, data);
    SendWr read{.wr_id = 1,
                .opcode = WrOpcode::kRdmaRead,
                .remote_address = a.mr.iova,
                .rkey = a.mr.rkey(),
                .sges = {{kIova, 2 * kPage, mr.key()}}};
    EXPECT_EQ(bob(read), WcStatus::kSuccess);
    EXPECT_EQ(kernel.bytes(pages[1], kPage), a.bytes(kPage, kPage));
}

TEST_F(FastRegistrations, TakeTheDescriptionAsItIsWhenTheRequestIsExecuted) {
    register_all();
    const auto before = kernel.bytes(pages[1], kPage);
    KernelMemory::describe(mr, kIova, kPage, {pages[1]});
    a.fill(0, pattern(16));
    EXPECT_EQ(alice(write_to(kIova, mr.key(), 16)), WcStatus::kSuccess);
    EXPECT_EQ(kernel.bytes(pages[0], 16), pattern(16));
    EXPECT_EQ(kernel.bytes(pages[1], kPage), before);
}

TEST_F(FastRegistrations, AreNeededBeforeTheKeyIsGood) {
    EXPECT_EQ(alice(write_to(kIova, mr.key(), 8)), WcStatus::kRemoteAccessError);
}

TEST_F(FastRegistrations, ChooseTheLowBitsOfTheKey) {
    const uint32_t key = mr.key() ^ 0x5a;
    ASSERT_EQ(bob(reg_mr_wr(key, kAllAccess)), WcStatus::kSuccess);
    EXPECT_EQ(alice(write_to(kIova, key, 8)), WcStatus::kSuccess);
    EXPECT_EQ(alice(write_to(kIova, mr.key(), 8)), WcStatus::kRemoteAccessError);
}

TEST_F(FastRegistrations, AllowWhatTheyNameOnly) {
    register_all(kAccessLocalWrite | kAccessRemoteRead);
    EXPECT_EQ(alice(write_to(kIova, mr.key(), 8)), WcStatus::kRemoteAccessError);
}

TEST_F(FastRegistrations, OfAValidRegionAreRefused) {
    register_all();
    expect_refused(reg_mr_wr(mr.key(), kAllAccess));
}

TEST_F(FastRegistrations, OfARegionOfAnotherProtectionDomainAreRefused) {
    auto pd = b.guest.make_pd();
    auto other = kernel.alloc_mr(8, pd.get());
    KernelMemory::describe(other, kIova, kPage, pages);
    expect_refused(reg_mr_wr(other.key(), kAllAccess));
    other.object.reset();
}

TEST_F(FastRegistrations, OfAnOrdinaryRegionAreRefused) {
    expect_refused(reg_mr_wr(b.mr.rkey(), kAllAccess));
}

TEST_F(FastRegistrations, OfARegionThatIsNotThereAreRefused) {
    expect_refused(reg_mr_wr(0xffffff00, kAllAccess));
}

TEST_F(FastRegistrations, WithAccessThatNoRegionCanHaveAreRefused) {
    expect_refused(reg_mr_wr(mr.key(), kAccessRemoteWrite));
}

TEST_F(FastRegistrations, OfPagesBeyondMemoryAreRefused) {
    KernelMemory::describe(mr, kIova, 2 * kPage, {pages[0], uint64_t{1} << 40});
    expect_refused(reg_mr_wr(mr.key(), kAllAccess));
}

TEST_F(FastRegistrations, OfPagesThatAreNotAlignedAreRefused) {
    KernelMemory::describe(mr, kIova, kPage, {pages[0] + 8});
    expect_refused(reg_mr_wr(mr.key(), kAllAccess));
}

TEST_F(FastRegistrations, WithoutMemoryAreRefused) {
    b.guest.port->set_memory(nullptr);
    expect_refused(reg_mr_wr(mr.key(), kAllAccess));
}

TEST_F(FastRegistrations, WithABadDescriptionAreRefused) {
    const vrdma_fast_reg good{.iova = kIova, .length = kPage, .page_size = kPage, .page_count = 1};
    std::vector<vrdma_fast_reg> bad(8, good);
    bad[0].length = 0;
    bad[1].length = kPage + 1;
    bad[2].iova = kIova + 1;
    bad[3].iova = ~uint64_t{0} - 1;
    bad[4].page_size = 0;
    bad[5].page_size = 6000;
    bad[6].page_size = 2048;
    bad[7].page_count = 9;
    for (size_t i = 0; i < bad.size(); ++i) {
        KernelMemory::describe(mr, bad[i], pages);
        EXPECT_EQ(bob(reg_mr_wr(mr.key(), kAllAccess)), WcStatus::kMemoryManagementError) << i;
        const rnic::QpAttributes reset;
        ASSERT_TRUE(b.qp.modify(kAttrState, reset));
        connect(b.qp, a.guest.gid(), a.qp.number());
    }
    KernelMemory::describe(mr, good, pages);
    EXPECT_EQ(bob(reg_mr_wr(mr.key(), kAllAccess)), WcStatus::kSuccess);
}

TEST_F(FastRegistrations, EndWithTheirRegion) {
    register_all();
    const uint32_t key = mr.key();
    mr.object.reset();
    EXPECT_EQ(alice(write_to(kIova, key, 8)), WcStatus::kRemoteAccessError);
}

using Invalidations = FastRegistrations;

TEST_F(Invalidations, TakeTheKeyAway) {
    register_all();
    ASSERT_EQ(bob(local_invalidate_wr(mr.key())), WcStatus::kSuccess);
    EXPECT_EQ(alice(write_to(kIova, mr.key(), 8)), WcStatus::kRemoteAccessError);
}

TEST_F(Invalidations, LetTheRegionBeRegisteredAgain) {
    register_all();
    ASSERT_EQ(bob(local_invalidate_wr(mr.key())), WcStatus::kSuccess);
    KernelMemory::describe(mr, kIova, kPage, {pages[2]});
    register_all();
    a.fill(0, pattern(16));
    EXPECT_EQ(alice(write_to(kIova, mr.key(), 16)), WcStatus::kSuccess);
    EXPECT_EQ(kernel.bytes(pages[2], 16), pattern(16));
}

TEST_F(Invalidations, OfAnEarlierKeyAreRefused) {
    ASSERT_EQ(bob(reg_mr_wr(mr.key() + 1, kAllAccess)), WcStatus::kSuccess);
    expect_refused(local_invalidate_wr(mr.key()));
}

TEST_F(Invalidations, OfAnOrdinaryRegionAreRefused) {
    expect_refused(local_invalidate_wr(b.mr.rkey()));
}

TEST_F(Invalidations, OfARegionOfAnotherProtectionDomainAreRefused) {
    auto pd = b.guest.make_pd();
    auto other = kernel.alloc_mr(8, pd.get());
    expect_refused(local_invalidate_wr(other.key()));
    other.object.reset();
}

TEST_F(Invalidations, ComeWithAMessageAndTheReceiverIsTold) {
    register_all();
    a.fill(0, pattern(16));
    b.post_recv(5, 100, 16);
    EXPECT_EQ(alice(send_invalidate(mr.key())), WcStatus::kSuccess);
    const auto wc = only_completion(b.recv_cq);
    EXPECT_EQ(status_of(wc), WcStatus::kSuccess);
    EXPECT_EQ(opcode_of(wc), WcOpcode::kReceive);
    EXPECT_EQ(wc.wc_flags, kWcWithInvalidate);
    EXPECT_EQ(wc.ex.invalidate_rkey, mr.key());
    EXPECT_EQ(wc.byte_len, 16u);
    EXPECT_EQ(b.bytes(100, 16), pattern(16));
    EXPECT_EQ(alice(write_to(kIova, mr.key(), 8)), WcStatus::kRemoteAccessError);
}

TEST_F(Invalidations, ByAMessageThatNamesNoKeyFailTheReceive) {
    b.post_recv(5, 0, 16);
    EXPECT_EQ(alice(send_invalidate(b.mr.rkey())), WcStatus::kRemoteOperationError);
    const auto wc = only_completion(b.recv_cq);
    EXPECT_EQ(status_of(wc), WcStatus::kRemoteInvalidRequest);
    EXPECT_EQ(wc.wr_id, 5u);
    EXPECT_EQ(b.qp.state(), QpState::kError);
}

TEST_F(Invalidations, ByThePeerOfARegionThatItCannotUseAreRefused) {
    register_all(kAccessLocalWrite);
    b.post_recv(5, 0, 16);
    EXPECT_EQ(alice(send_invalidate(mr.key())), WcStatus::kRemoteOperationError);
}

TEST(GracePeriods, LastUntilTheSlicesOfOtherWorkersHaveEnded) {
    std::vector<SliceCounter> workers(3);
    const WorkerSlices slices{workers, workers[0]};
    const SliceCounter::Slice own(&workers[0]);
    auto others = std::make_unique<SliceCounter::Slice>(&workers[2]);
    GracePeriod grace;
    grace.begin(slices);
    EXPECT_FALSE(grace.over(slices));
    others.reset();
    others = std::make_unique<SliceCounter::Slice>(&workers[2]);
    EXPECT_TRUE(grace.over(slices)) << "a slice that began afterwards does not count";
}

// When Bob's invalidation is complete, the memory is his, whatever Alice has under way.
TEST(InvalidationsAmongWorkers, CompleteWhenNobodyAccessesTheMemoryAnyMore) {
    EmbeddedConfig config;
    config.threads = 2;
    config.spin = std::chrono::hours(1);
    const auto rnic = make_embedded_rnic(config, vrdma::test::silent_logger());
    constexpr uint32_t kPages = 64;
    constexpr uint32_t kLength = kPages * kPage;
    End a(*rnic, "alice", 1, {}, kLength);
    End b(*rnic, "bob", 2);
    KernelMemory kernel(b.guest);
    auto mr = kernel.alloc_mr(kPages);
    const auto pages = kernel.pages(kPages);
    KernelMemory::describe(mr, kIova, kLength, pages);
    const auto wait_for = [](ClientCq& cq) {
        for (;;) {
            if (auto wc = cq.poll()) {
                return status_of(*wc);
            }
            std::this_thread::yield();
        }
    };
    // Bob's own requests are on a queue pair that Alice's errors do not reach.
    auto own = b.guest.make_qp(b.send_cq, b.recv_cq);
    connect(own, b.guest.gid(), own.number());
    for (int round = 0; round < 5; ++round) {
        connect(a.qp, b.qp);
        own.post_send(reg_mr_wr(mr.key(), kAllAccess));
        ASSERT_EQ(wait_for(b.send_cq), WcStatus::kSuccess);
        constexpr int kWrites = 10;
        for (int i = 0; i < kWrites; ++i) {
            a.qp.enqueue_send({.opcode = WrOpcode::kRdmaWrite,
                               .remote_address = kIova,
                               .rkey = mr.key(),
                               .sges = {a.mr.sge(0, kLength)}});
        }
        a.qp.ring_doorbell();
        own.post_send(local_invalidate_wr(mr.key()));
        ASSERT_EQ(wait_for(b.send_cq), WcStatus::kSuccess);
        // Bob writes from the last page to the first, towards a write that is still under way.
        std::for_each(pages.rbegin(), pages.rend(),
                      [&](uint64_t page) { std::memset(kernel.at(page, kPage), 0x55, kPage); });
        for (int i = 0; i < kWrites; ++i) {
            wait_for(a.send_cq);
        }
        for (const uint64_t page : pages) {
            ASSERT_EQ(kernel.bytes(page, kPage), std::vector(kPage, std::byte{0x55}));
        }
        const rnic::QpAttributes reset;
        ASSERT_TRUE(a.qp.modify(kAttrState, reset));
        ASSERT_TRUE(b.qp.modify(kAttrState, reset));
    }
}

}  // namespace
}  // namespace vrdma::embedded::test
