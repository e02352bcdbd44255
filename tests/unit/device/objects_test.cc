// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What counts itself: references between objects, budgets, and the tables of objects.
#include <gtest/gtest.h>
#include <spdlog/sinks/null_sink.h>

#include "budget.h"
#include "device/objects/memory_quota.h"
#include "device/objects/object_table.h"
#include "device/objects/ref.h"

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
    Budget bytes_{"bytes", "bytes of things", 100, log_};
    Budget runs_{"runs", "runs of things", 10, log_};
    MemoryQuota quota_{bytes_, runs_};
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
    {
        auto charge = quota_.charge({.bytes = 60, .runs = 6});
        ASSERT_TRUE(charge);
        const MemoryCharge moved(std::move(*charge));
        EXPECT_EQ(bytes_.used(), 60U);
        EXPECT_EQ(runs_.used(), 6U);
    }
    EXPECT_EQ(bytes_.used(), 0U);
    EXPECT_EQ(runs_.used(), 0U);
}

TEST_F(ObjectsTest, AChargeThatIsReplacedCountsUntilThen) {
    MemoryCharge charge = std::move(*quota_.charge({.bytes = 60, .runs = 6}));
    EXPECT_EQ(quota_.charge({.bytes = 50, .runs = 1}).error(), Errno{EDQUOT});
    auto larger = quota_.charge({.bytes = 40, .runs = 4});
    ASSERT_TRUE(larger);
    charge = std::move(*larger);
    EXPECT_EQ(bytes_.used(), 40U);
    EXPECT_EQ(runs_.used(), 4U);
}

TEST_F(ObjectsTest, EitherOfBytesAndRunsExhaustsTheQuota) {
    EXPECT_EQ(quota_.charge({.bytes = 101, .runs = 1}).error(), Errno{EDQUOT});
    EXPECT_EQ(quota_.charge({.bytes = UINT64_MAX, .runs = 1}).error(), Errno{EDQUOT});
    EXPECT_EQ(quota_.charge({.bytes = 1, .runs = 11}).error(), Errno{EDQUOT});
    EXPECT_EQ(bytes_.used(), 0U) << "a part that was refused leaves nothing charged";
    EXPECT_TRUE(quota_.charge({.bytes = 100, .runs = 10}));
    EXPECT_EQ(bytes_.times_reached(), 2U);
    EXPECT_EQ(runs_.times_reached(), 1U);
}

TEST_F(ObjectsTest, ALimitLoweredBelowWhatIsInUseTakesNothingAway) {
    Charge held = std::move(*bytes_.charge(80));
    bytes_.set_limit(50);
    EXPECT_EQ(bytes_.used(), 80U);
    EXPECT_EQ(bytes_.charge(1).error(), Errno{EDQUOT});
    EXPECT_EQ(bytes_.check(0).error(), Errno{EDQUOT});
    held = std::move(*runs_.charge(1));
    EXPECT_TRUE(bytes_.charge(50));
    EXPECT_EQ(bytes_.charge(51).error(), Errno{EDQUOT});
    bytes_.set_limit(UINT64_MAX);
    EXPECT_TRUE(bytes_.charge(UINT64_MAX));
}

TEST_F(ObjectsTest, ATableKnowsWhoOwnsAnObject) {
    Budget two{"domains", "domains", 2, log_};
    ObjectTable<Domain> table(1000, two);
    table.insert(*table.reserve(), Domain{.uctx = 1});
    table.insert(*table.reserve(), Domain{.uctx = 2});
    EXPECT_EQ(table.reserve().error(), Errno{EDQUOT});
    EXPECT_TRUE(table.owned(1, 0));
    EXPECT_EQ(table.owned(2, 0).error(), Errno{EINVAL});
    EXPECT_EQ(table.owned(1, 7).error(), Errno{EINVAL});
    table.erase_owned(1);
    EXPECT_EQ(table.size(), 1U);
    EXPECT_EQ(two.used(), 1U);
    EXPECT_TRUE(table.owned(2, 1));
}

TEST_F(ObjectsTest, ATableThatIsGoneIsChargedNoMore) {
    Budget two{"domains", "domains", 2, log_};
    {
        ObjectTable<Domain> table(1000, two);
        table.insert(*table.reserve(), Domain{.uctx = 1});
        EXPECT_EQ(two.used(), 1U);
    }
    EXPECT_EQ(two.used(), 0U);
}

}  // namespace
}  // namespace vrdma::device
