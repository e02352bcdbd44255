// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Memory windows: binding, rights, invalidation (IBTA 1.4, 10.6.7).
#include "fixture.h"

namespace vrdma::embedded::test {
namespace {

constexpr uint8_t kType1 = 1;
constexpr uint8_t kType2 = 2;
constexpr uint64_t kStart = 4096;  // of the window in Bob's region
constexpr uint64_t kLength = 1024;

// Bob opens windows into his memory for Alice.
class MemoryWindows : public TwoGuests {
  protected:
    MemoryWindows() : region(b.guest.reg_mr(b.memory, kAllAccess | kAccessMwBind)) {
        connect(a.qp, b.qp);
    }

    std::unique_ptr<rnic::MemoryWindow> window(uint8_t type) {
        rnic::Udata none;
        return std::move(b.guest.context->alloc_mw(b.guest.pd(), type, none).value());
    }
    SendWr bind_wr(uint32_t current, uint32_t key, uint32_t access = kAccessRemoteWrite) const {
        SendWr wr{.wr_id = 5, .opcode = WrOpcode::kBindWindow};
        wr.remote_address = region.iova + kStart;
        wr.rkey = key;
        wr.bind = {.length = kLength, .lkey = region.lkey(), .window = current, .access = access};
        return wr;
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
    SendWr write_to(uint32_t key, uint64_t offset, uint32_t length) const {
        SendWr wr = write_wr(0, offset, length);
        wr.rkey = key;
        return wr;
    }
    SendWr local_invalidate(uint32_t key) const {
        SendWr wr{.wr_id = 6, .opcode = WrOpcode::kLocalInvalidate};
        wr.immediate = key;
        return wr;
    }
    // A new window with the key that it is bound to now.
    uint32_t bound(uint8_t type, uint32_t access = kAccessRemoteWrite) {
        windows.push_back(window(type));
        const uint32_t key = windows.back()->rkey() + 1;
        EXPECT_EQ(bob(bind_wr(windows.back()->rkey(), key, access)), WcStatus::kSuccess);
        return key;
    }
    void expect_refused(const SendWr& wr) {
        EXPECT_EQ(bob(wr), WcStatus::kMemoryManagementError);
        EXPECT_EQ(b.qp.state(), QpState::kError);
    }

    ClientMr region;
    std::vector<std::unique_ptr<rnic::MemoryWindow>> windows;
};

TEST_F(MemoryWindows, GiveAccessToTheirPartOfTheRegionOnly) {
    const auto data = pattern(kLength);
    a.fill(0, data);
    const uint32_t key = bound(kType2);
    EXPECT_EQ(alice(write_to(key, kStart, kLength)), WcStatus::kSuccess);
    EXPECT_EQ(b.bytes(kStart, kLength), data);
    EXPECT_EQ(alice(write_to(key, kStart + 1, kLength)), WcStatus::kRemoteAccessError);
}

TEST_F(MemoryWindows, GiveTheRightsOfTheBindingOnly) {
    const uint32_t key = bound(kType1, kAccessRemoteRead);
    SendWr read = read_wr(0, kStart, 64);
    read.rkey = key;
    EXPECT_EQ(alice(read), WcStatus::kSuccess);
    EXPECT_EQ(alice(write_to(key, kStart, 64)), WcStatus::kRemoteAccessError);
}

TEST_F(MemoryWindows, CompleteAsBindings) {
    const auto mw = window(kType1);
    b.qp.post_send(bind_wr(mw->rkey(), mw->rkey() + 1));
    settle();
    const auto wc = only_completion(b.send_cq);
    EXPECT_EQ(opcode_of(wc), WcOpcode::kBindWindow);
    EXPECT_EQ(wc.wr_id, 5u);
}

TEST_F(MemoryWindows, MayBeZeroBasedWhenOfType2) {
    const auto data = pattern(64);
    a.fill(0, data);
    const uint32_t key = bound(kType2, kAccessRemoteWrite | kAccessZeroBased);
    SendWr wr = write_to(key, 0, 64);
    wr.remote_address = 100;
    EXPECT_EQ(alice(wr), WcStatus::kSuccess);
    EXPECT_EQ(b.bytes(kStart + 100, 64), data);
    const auto mw = window(kType1);
    expect_refused(bind_wr(mw->rkey(), mw->rkey() + 1, kAccessRemoteWrite | kAccessZeroBased));
}

TEST_F(MemoryWindows, OfType1AreBoundAnewAndForgetTheOldKey) {
    const uint32_t first = bound(kType1);
    EXPECT_EQ(bob(bind_wr(first, first + 1)), WcStatus::kSuccess);
    EXPECT_EQ(alice(write_to(first + 1, kStart, 8)), WcStatus::kSuccess);
    EXPECT_EQ(alice(write_to(first, kStart, 8)), WcStatus::kRemoteAccessError);
}

TEST_F(MemoryWindows, OfType1AreUnboundByLengthZero) {
    const uint32_t key = bound(kType1);
    SendWr wr = bind_wr(key, key + 1);
    wr.bind.length = 0;
    EXPECT_EQ(bob(wr), WcStatus::kSuccess);
    EXPECT_TRUE(region.object->deregister());
    EXPECT_EQ(alice(write_to(key + 1, kStart, 8)), WcStatus::kRemoteAccessError);
}

TEST_F(MemoryWindows, OfType2AreBoundOnceUntilInvalidated) {
    const uint32_t key = bound(kType2);
    EXPECT_EQ(bob(local_invalidate(key)), WcStatus::kSuccess);
    EXPECT_EQ(bob(bind_wr(key, key + 1)), WcStatus::kSuccess);
    EXPECT_EQ(alice(write_to(key + 1, kStart, 8)), WcStatus::kSuccess);
    expect_refused(bind_wr(key + 1, key + 2));
}

TEST_F(MemoryWindows, AnInvalidatedKeyGivesNoAccess) {
    const uint32_t key = bound(kType2);
    EXPECT_EQ(bob(local_invalidate(key)), WcStatus::kSuccess);
    EXPECT_EQ(alice(write_to(key, kStart, 8)), WcStatus::kRemoteAccessError);
}

TEST_F(MemoryWindows, AreInvalidatedByTheirUserWhoIsNamedInTheCompletion) {
    const uint32_t key = bound(kType2);
    b.post_recv(9, 0, 64);
    SendWr wr = send_wr(0, 16);
    wr.opcode = WrOpcode::kSendWithInvalidate;
    wr.immediate = key;
    EXPECT_EQ(alice(wr), WcStatus::kSuccess);
    const auto wc = only_completion(b.recv_cq);
    EXPECT_EQ(wc.wc_flags, kWcWithInvalidate);
    EXPECT_EQ(wc.ex.imm_data, key);
    EXPECT_EQ(alice(write_to(key, kStart, 8)), WcStatus::kRemoteAccessError);
}

TEST_F(MemoryWindows, OfType1AreNotInvalidated) {
    const uint32_t key = bound(kType1);
    expect_refused(local_invalidate(key));
}

TEST_F(MemoryWindows, OfType2BelongToTheQueuePairThatBoundThem) {
    const uint32_t key = bound(kType2);
    ClientQp a2 = a.guest.make_qp(a.send_cq, a.recv_cq);
    ClientQp b2 = b.guest.make_qp(b.send_cq, b.recv_cq);
    connect(a2, b2);
    a2.post_send(write_to(key, kStart, 8));
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kRemoteAccessError);
}

TEST_F(MemoryWindows, NeedARegionThatAllowsThem) {
    const auto mw = window(kType2);
    SendWr wr = bind_wr(mw->rkey(), mw->rkey() + 1);
    wr.bind.lkey = b.mr.lkey();
    expect_refused(wr);
}

TEST_F(MemoryWindows, LieWithinTheRegion) {
    const auto mw = window(kType2);
    SendWr wr = bind_wr(mw->rkey(), mw->rkey() + 1);
    wr.bind.length = ~uint64_t{0};
    expect_refused(wr);
}

TEST_F(MemoryWindows, ThatAreWritableNeedAWritableRegion) {
    const auto read_only =
        b.guest.reg_mr(b.memory, kAccessRemoteRead | kAccessMwBind, Guest::kIova + (1 << 30));
    const auto mw = window(kType2);
    SendWr wr = bind_wr(mw->rkey(), mw->rkey() + 1);
    wr.remote_address = read_only.iova;
    wr.bind.lkey = read_only.lkey();
    expect_refused(wr);
}

TEST_F(MemoryWindows, OfAnotherDomainOrWithAStaleKeyAreNotBound) {
    const auto pd = b.guest.make_pd();
    rnic::Udata none;
    const auto foreign = std::move(b.guest.context->alloc_mw(*pd, kType2, none).value());
    expect_refused(bind_wr(foreign->rkey(), foreign->rkey() + 1));
}

TEST_F(MemoryWindows, KeepTheirRegionRegistered) {
    const uint32_t key = bound(kType2);
    EXPECT_EQ(region.object->deregister().error(), Errno{EBUSY});
    rnic::Udata none;
    EXPECT_EQ(region.object->reregister({.access = true}, nullptr, {}, none).error(), Errno{EBUSY});
    EXPECT_EQ(bob(local_invalidate(key)), WcStatus::kSuccess);
    EXPECT_TRUE(region.object->deregister());
}

TEST_F(MemoryWindows, GiveNoAccessOnceTheirRegionOrTheyThemselvesAreGone) {
    const uint32_t key = bound(kType1);
    region.object.reset();
    EXPECT_EQ(alice(write_to(key, kStart, 8)), WcStatus::kRemoteAccessError);
    windows.clear();
    EXPECT_EQ(rnic->counters().memory_windows, 0u);
}

TEST_F(MemoryWindows, AreFreeAgainWhenTheirQueuePairIsGone) {
    bound(kType2);
    b.qp.object.reset();
    EXPECT_TRUE(region.object->deregister());
}

TEST_F(MemoryWindows, AreOfType1Or2) {
    rnic::Udata none;
    for (const uint8_t type : {0, 3, 255}) {
        EXPECT_EQ(b.guest.context->alloc_mw(b.guest.pd(), type, none).error(), Errno{EINVAL});
    }
}

TEST_F(MemoryWindows, KeysAreNotLocalKeys) {
    const uint32_t key = bound(kType2, kAccessRemoteWrite);
    SendWr wr{.wr_id = 1, .opcode = WrOpcode::kSend};
    wr.sges = {Sge{region.iova + kStart, 8, key}};
    EXPECT_EQ(bob(wr), WcStatus::kLocalProtectionError);
}

}  // namespace
}  // namespace vrdma::embedded::test
