// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What is counted of a guest's verbs.
#include "device/verb_figures.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace vrdma::device {
namespace {

using namespace std::chrono_literals;

TEST(VerbFiguresTest, AVerbThatNobodyCalledIsNotThere) {
    VerbFigures figures({"alloc_pd", "reg_mr"});
    EXPECT_TRUE(figures.called().empty());
    figures.count(1, false, 5us);
    const auto called = figures.called();
    ASSERT_EQ(called.size(), 1U);
    EXPECT_EQ(called[0].name, std::string("reg_mr"));
    EXPECT_EQ(called[0].calls(), 1U);
    EXPECT_EQ(called[0].failures, 0U);
}

TEST(VerbFiguresTest, ACallIsInTheFirstBucketThatReachesIt) {
    VerbFigures figures({"reg_mr"});
    figures.count(0, false, 0ns);
    figures.count(0, false, 1us);  // the end belongs to the bucket
    figures.count(0, false, 1001ns);
    figures.count(0, true, 1s);
    figures.count(0, false, 2s);
    const VerbFigures::Verb verb = figures.called().at(0);
    EXPECT_EQ(verb.buckets.front(), 2U);
    EXPECT_EQ(verb.buckets[1], 1U);
    EXPECT_EQ(verb.buckets[VerbFigures::kBounds.size() - 1], 1U);
    EXPECT_EQ(verb.buckets.back(), 1U) << "what took longer than any bound";
    EXPECT_EQ(verb.calls(), 5U);
    EXPECT_EQ(verb.failures, 1U);
    EXPECT_EQ(verb.nanoseconds, 3'000'002'001U);
}

}  // namespace
}  // namespace vrdma::device
