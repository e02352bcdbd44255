// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Regions of all the guest's memory, which its kernel addresses as it is.
#include "fixture.h"
#include "support/fake_memory.h"

namespace vrdma::embedded::test {
namespace {

using vrdma::test::FakeMemory;

constexpr uint64_t kBase = 0xffff888000000000;
constexpr uint64_t kLow = 0x10000;
constexpr uint64_t kHigh = 0x100000000;
constexpr uint64_t kSize = 1 << 20;

// Alice's kernel sends from all of her memory, in two parts with a hole between them.
class DmaRegion : public TwoGuests {
  protected:
    DmaRegion() {
        ram.add_region(kHigh, kSize);
        tell();
        region = a.guest.get_dma_mr(kAllAccess, kBase);
        connect(a.qp, b.qp);
    }

    void tell() { a.guest.port->set_memory(ram.as_guest_memory()); }
    void fill(uint64_t address, const std::vector<std::byte>& data) {
        std::memcpy(ram.host(address, data.size()), data.data(), data.size());
    }
    WcStatus write(uint64_t address, uint32_t length) {
        SendWr wr = write_wr(0, 0, length);
        wr.sges = {region.sge(address, length)};
        a.qp.post_send(wr);
        settle();
        return status_of(only_completion(a.send_cq));
    }

    FakeMemory ram{kSize, kLow};
    ClientMr region;
};

TEST_F(DmaRegion, HasEveryByteAtItsPhysicalAddress) {
    const auto data = pattern(1000);
    for (const uint64_t address : {kLow, kLow + kSize - 1000, kHigh, kHigh + kSize - 1000}) {
        fill(address, data);
        EXPECT_EQ(write(address, 1000), WcStatus::kSuccess);
        EXPECT_EQ(b.bytes(0, 1000), data);
        b.fill(0, pattern(1000, 2));
    }
}

TEST_F(DmaRegion, IsNotThereWhereTheGuestHasNoMemory) {
    EXPECT_EQ(write(kLow + kSize, 1), WcStatus::kLocalProtectionError);
}

TEST_F(DmaRegion, IsNotThereBelowTheFirstMemory) {
    EXPECT_EQ(write(0, 1), WcStatus::kLocalProtectionError);
}

TEST_F(DmaRegion, AccessThatReachesIntoAHoleIsRefusedAsAWhole) {
    const auto before = b.bytes(0, 16);
    fill(kLow + kSize - 8, pattern(8, 3));
    EXPECT_EQ(write(kLow + kSize - 8, 16), WcStatus::kLocalProtectionError);
    EXPECT_EQ(b.bytes(0, 16), before);
}

TEST_F(DmaRegion, AccessThatEndsInMemoryButBeginsInAHoleIsRefused) {
    EXPECT_EQ(write(kHigh - 8, 16), WcStatus::kLocalProtectionError);
}

TEST_F(DmaRegion, EndsWhereTheLastMemoryEnds) {
    EXPECT_EQ(write(kHigh + kSize - 8, 16), WcStatus::kLocalProtectionError);
}

TEST_F(DmaRegion, AccessMaySpanMemoryThatAdjoins) {
    ram.add_region(kHigh + kSize, kSize);
    tell();
    const auto data = pattern(2000);
    fill(kHigh + kSize - 500, {data.begin(), data.begin() + 500});
    fill(kHigh + kSize, {data.begin() + 500, data.end()});
    EXPECT_EQ(write(kHigh + kSize - 500, 2000), WcStatus::kSuccess);
    EXPECT_EQ(b.bytes(0, 2000), data);
}

TEST_F(DmaRegion, FollowsMemoryThatIsPlugged) {
    constexpr uint64_t kPlugged = 0x200000000;
    ram.add_region(kPlugged, kSize);
    tell();
    const auto data = pattern(100);
    fill(kPlugged, data);
    EXPECT_EQ(write(kPlugged, 100), WcStatus::kSuccess);
    EXPECT_EQ(b.bytes(0, 100), data);
}

TEST_F(DmaRegion, LetsGoOfMemoryThatIsUnplugged) {
    ram.remove_region(kHigh);
    tell();
    EXPECT_EQ(write(kHigh, 1), WcStatus::kLocalProtectionError);
}

TEST_F(DmaRegion, IsEmptyWithoutMemory) {
    a.guest.port->set_memory(nullptr);
    EXPECT_EQ(write(kLow, 1), WcStatus::kLocalProtectionError);
}

TEST_F(DmaRegion, OutlivesNoMemoryThatItHadOnce) {
    std::weak_ptr<const memory::GuestMemory> memory;
    {
        auto now = ram.as_guest_memory();
        memory = now;
        a.guest.port->set_memory(std::move(now));
    }
    a.guest.port->set_memory(nullptr);
    EXPECT_TRUE(memory.expired());
}

TEST_F(DmaRegion, AllowsWhatItWasMadeFor) {
    region = a.guest.get_dma_mr(0, kBase);
    SendWr wr = read_wr(0, 0, 8);
    wr.sges = {region.sge(kLow, 8)};
    a.qp.post_send(wr);
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kLocalProtectionError);
}

TEST_F(DmaRegion, HasTheRulesOfAccessOfOtherRegions) {
    const auto refused = [this](uint32_t access) {
        auto mr = a.guest.context->get_dma_mr(a.guest.pd(), {.base = 0, .access = access});
        return mr ? Errno{0} : mr.error();
    };
    EXPECT_EQ(refused(kAccessRemoteWrite), Errno{EINVAL});
    EXPECT_EQ(refused(1u << 30), Errno{EOPNOTSUPP});
}

}  // namespace
}  // namespace vrdma::embedded::test
