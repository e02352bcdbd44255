// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The device's side of common/vrdma_doorbell.h, step by step.
#include "rnic/uverbs/events/cq_arming.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

namespace vrdma::uverbs {
namespace {

class CqArming : public testing::Test {
  protected:
    void ring() {
        arm_rung_cq(&word, [this](bool solicited_only) { arm(solicited_only); });
    }
    bool complete() {
        return take_completion(&word, [this](bool solicited_only) { arm(solicited_only); });
    }
    void arm(bool solicited_only) {
        armed.push_back(solicited_only);
        if (meanwhile) {
            meanwhile();
        }
    }

    __le32 word = 0;
    std::vector<bool> armed;          // each time: for solicited completions only?
    std::function<void()> meanwhile;  // runs while the RNIC is being armed, as the driver may
};

TEST_F(CqArming, ARungCqIsArmedAndWatchedForAnyCompletion) {
    word = VRDMA_CQ_ARM_NEXT;
    ring();
    EXPECT_EQ(armed, std::vector{false});
    EXPECT_EQ(word, uint32_t{VRDMA_CQ_ARM_NEXT | VRDMA_CQ_WATCHED_NEXT});
}

TEST_F(CqArming, ARungCqIsArmedAndWatchedForSolicitedCompletions) {
    word = VRDMA_CQ_ARM_SOLICITED;
    ring();
    EXPECT_EQ(armed, std::vector{true});
    EXPECT_EQ(word, uint32_t{VRDMA_CQ_ARM_SOLICITED | VRDMA_CQ_WATCHED_SOLICITED});
}

TEST_F(CqArming, AnyCompletionIsTheStrongerOfBothKinds) {
    word = VRDMA_CQ_ARM_SOLICITED | VRDMA_CQ_ARM_NEXT;
    ring();
    EXPECT_EQ(armed, std::vector{false});
    EXPECT_NE(word & VRDMA_CQ_WATCHED_NEXT, 0u);
}

TEST_F(CqArming, TheBitAppearsOnlyOnceTheRnicIsArmed) {
    word = VRDMA_CQ_ARM_NEXT;
    uint32_t seen = ~0u;
    meanwhile = [&] { seen = word; };
    ring();
    EXPECT_EQ(seen, uint32_t{VRDMA_CQ_ARM_NEXT});
}

TEST_F(CqArming, ARingAfterTheEventDoesNothing) {
    word = VRDMA_CQ_WATCHED_NEXT;
    ring();
    EXPECT_TRUE(armed.empty());
    EXPECT_EQ(word, uint32_t{VRDMA_CQ_WATCHED_NEXT});
}

TEST_F(CqArming, ACompletionOfAnArmedCqArmsTheRnicAgainAndSendsTheEvent) {
    word = VRDMA_CQ_ARM_NEXT | VRDMA_CQ_WATCHED_NEXT;
    uint32_t seen = ~0u;
    meanwhile = [&] { seen = word; };
    EXPECT_TRUE(complete());
    EXPECT_EQ(armed, std::vector{false});
    EXPECT_NE(seen & VRDMA_CQ_ARM_NEXT, 0u) << "the RNIC is armed before the driver's arm goes";
    EXPECT_EQ(word, uint32_t{VRDMA_CQ_WATCHED_NEXT});
}

TEST_F(CqArming, ASolicitedCompletionArmsForSolicitedOnesAgain) {
    word = VRDMA_CQ_ARM_SOLICITED | VRDMA_CQ_WATCHED_SOLICITED;
    EXPECT_TRUE(complete());
    EXPECT_EQ(armed, std::vector{true});
    EXPECT_EQ(word, uint32_t{VRDMA_CQ_WATCHED_SOLICITED});
}

TEST_F(CqArming, ACompletionThatNobodyWaitsForEndsTheWatch) {
    word = VRDMA_CQ_WATCHED_NEXT;
    EXPECT_FALSE(complete());
    EXPECT_TRUE(armed.empty()) << "an application that only polls costs no system calls";
    EXPECT_EQ(word, uint32_t{VRDMA_CQ_NOT_ARMED});
}

TEST_F(CqArming, AnArmForMoreDuringACompletionIsHeeded) {
    word = VRDMA_CQ_ARM_SOLICITED | VRDMA_CQ_WATCHED_SOLICITED;
    meanwhile = [&] { word |= VRDMA_CQ_ARM_NEXT; };
    EXPECT_TRUE(complete());
    EXPECT_EQ(armed, (std::vector{true, false}));
    EXPECT_EQ(word, uint32_t{VRDMA_CQ_WATCHED_NEXT});
}

TEST_F(CqArming, ADriverThatNeverRestsDoesNotHoldTheDeviceUp) {
    word = VRDMA_CQ_ARM_NEXT;
    meanwhile = [&] { word += 16; };
    complete();
    EXPECT_LT(armed.size(), 100u);
}

}  // namespace
}  // namespace vrdma::uverbs
