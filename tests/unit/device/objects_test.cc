// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What counts itself: references between objects, the memory quota and slots.
#include <gtest/gtest.h>
#include <spdlog/sinks/null_sink.h>

#include "device/objects/memory_quota.h"
#include "device/objects/object_table.h"
#include "device/objects/ref.h"
#include "device/objects/slots.h"

namespace vrdma::device {
namespace {

struct Domain {
    uint32_t uctx = 0;
    RefCount users{};
};

class ObjectsTest : public testing::Test {
  protected:
    LimitLog log_{"guest", std::make_shared<spdlog::logger>(
                               "test", std::make_shared<spdlog::sinks::null_sink_mt>())};
};

TEST_F(ObjectsTest, AnObjectIsInUseAsLongAsAReferenceLives) {
    Domain domain;
    {
        const Ref first(domain);
        Ref second(domain);
        const Ref moved(std::move(second));
        EXPECT_TRUE(domain.users.in_use());
    }
    EXPECT_FALSE(domain.users.in_use());
}

TEST_F(ObjectsTest, AReferenceThatIsReplacedLetsItsOldObjectGo) {
    Domain old;
    Domain other;
    Ref reference(old);
    reference = Ref(other);
    EXPECT_FALSE(old.users.in_use());
    EXPECT_TRUE(other.users.in_use());
    reference = Ref<Domain>();
    EXPECT_FALSE(other.users.in_use());
}

TEST_F(ObjectsTest, AChargeCountsOnceWhereverItIsMoved) {
    MemoryQuota quota({.bytes = 100, .runs = 10}, log_);
    {
        auto charge = quota.charge({.bytes = 60, .runs = 6});
        ASSERT_TRUE(charge);
        const MemoryCharge moved(std::move(*charge));
        EXPECT_EQ(quota.used().bytes, 60U);
        EXPECT_EQ(quota.used().runs, 6U);
    }
    EXPECT_EQ(quota.used().bytes, 0U);
    EXPECT_EQ(quota.used().runs, 0U);
}

TEST_F(ObjectsTest, AChargeThatIsReplacedCountsUntilThen) {
    MemoryQuota quota({.bytes = 100, .runs = 10}, log_);
    MemoryCharge charge = std::move(*quota.charge({.bytes = 60, .runs = 6}));
    EXPECT_EQ(quota.charge({.bytes = 50, .runs = 1}).error(), Errno{EDQUOT});
    auto larger = quota.charge({.bytes = 40, .runs = 4});
    ASSERT_TRUE(larger);
    charge = std::move(*larger);
    EXPECT_EQ(quota.used().bytes, 40U);
    EXPECT_EQ(quota.used().runs, 4U);
}

TEST_F(ObjectsTest, EitherOfBytesAndRunsExhaustsTheQuota) {
    MemoryQuota quota({.bytes = 100, .runs = 10}, log_);
    EXPECT_EQ(quota.charge({.bytes = 101, .runs = 1}).error(), Errno{EDQUOT});
    EXPECT_EQ(quota.charge({.bytes = UINT64_MAX, .runs = 1}).error(), Errno{EDQUOT});
    EXPECT_EQ(quota.charge({.bytes = 1, .runs = 11}).error(), Errno{EDQUOT});
    EXPECT_TRUE(quota.charge({.bytes = 100, .runs = 10}));
}

TEST_F(ObjectsTest, ASlotIsFreeAgainWhenItsHolderIsGone) {
    SlotCount slots("things", 1, log_);
    {
        auto slot = slots.take();
        ASSERT_TRUE(slot);
        EXPECT_EQ(slots.used(), 1U);
        EXPECT_EQ(slots.take().error(), Errno{EDQUOT});
    }
    EXPECT_EQ(slots.used(), 0U);
    EXPECT_TRUE(slots.take());
}

TEST_F(ObjectsTest, ATableKnowsWhoOwnsAnObject) {
    ObjectTable<Domain> table("domains", 2, log_);
    table.insert(*table.reserve(), Domain{.uctx = 1});
    table.insert(*table.reserve(), Domain{.uctx = 2});
    EXPECT_EQ(table.reserve().error(), Errno{EDQUOT});
    EXPECT_TRUE(table.owned(1, 0));
    EXPECT_EQ(table.owned(2, 0).error(), Errno{EINVAL});
    EXPECT_EQ(table.owned(1, 7).error(), Errno{EINVAL});
    table.erase_owned(1);
    EXPECT_EQ(table.size(), 1U);
    EXPECT_TRUE(table.owned(2, 1));
}

}  // namespace
}  // namespace vrdma::device
