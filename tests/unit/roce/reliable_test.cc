// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Each operation of RC, at each size around the path's MTU, over real frames.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <tuple>

#include "fake_network.h"

namespace vrdma::roce {
namespace {

constexpr std::array<uint32_t, 10> kSizes = {
    0, 1, 3, kMtu - 1, kMtu, kMtu + 1, 2 * kMtu - 1, 2 * kMtu, 2 * kMtu + 5, 50 * kMtu + 3};

class ReliableTest : public testing::TestWithParam<std::tuple<uint32_t, bool>> {
  protected:
    ReliableTest() : connection_(IBV_QPT_RC, std::get<1>(GetParam())) {}

    uint32_t size() const { return std::get<0>(GetParam()); }

    Connection connection_;
    QueuePair& a_ = connection_.a;
    QueuePair& b_ = connection_.b;
};

TEST_P(ReliableTest, SendArrivesAndCompletesOnBothSides) {
    b_.post_receive(size());
    a_.post(IBV_WR_SEND, pattern(size()));
    connection_.run();
    EXPECT_EQ(a_.summary(), "send " + std::to_string(size()));
    EXPECT_EQ(b_.summary(), "recv " + std::to_string(size()));
    EXPECT_EQ(b_.receives[0].bytes, pattern(size()));
    EXPECT_FALSE(b_.completions[0].received.with_immediate);
    EXPECT_EQ(connection_.left.counters().timeouts, 0U);
}

INSTANTIATE_TEST_SUITE_P(Sizes, ReliableTest,
                         testing::Combine(testing::ValuesIn(kSizes), testing::Bool()));

}  // namespace
}  // namespace vrdma::roce
