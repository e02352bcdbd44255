// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// How a guest's commands, and what it sends through the embedded RNIC, are limited.
#include "token_bucket.h"

#include <gtest/gtest.h>

namespace vrdma {
namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kSecond = 1000 * kMs;
constexpr uint64_t kHour = 3600 * kSecond;
constexpr uint64_t kNow = 1000 * kHour;

// Takes tokens, one by one, until there is none.  Answers how many there were.
unsigned drain(TokenBucket& bucket, uint64_t now_ns) {
    unsigned taken = 0;
    while (bucket.open_at_ns() <= now_ns) {
        bucket.take(1, now_ns);
        ++taken;
    }
    return taken;
}

TEST(TokenBucketTest, GivesTheBurstAndThenTheRate) {
    TokenBucket bucket(10, TokenBucket::time_of(10, 3));
    EXPECT_EQ(drain(bucket, kNow), 3u);
    EXPECT_EQ(bucket.open_at_ns(), kNow + 100 * kMs);
    EXPECT_EQ(drain(bucket, kNow + 99 * kMs), 0u);
    EXPECT_EQ(drain(bucket, kNow + 100 * kMs), 1u);
    EXPECT_EQ(bucket.open_at_ns(), kNow + 200 * kMs);
    EXPECT_EQ(drain(bucket, kNow + 24 * kHour), 3u) << "no more than the burst is saved";
}

TEST(TokenBucketTest, ABurstOfATimeIsWhatComesInThisTime) {
    TokenBucket bucket(1000, 10 * kMs);
    EXPECT_EQ(drain(bucket, kNow), 10u);
    TokenBucket slow(1, 10 * kMs);
    EXPECT_EQ(drain(slow, kNow), 1u) << "a burst is at least a token";
    EXPECT_EQ(slow.open_at_ns(), kNow + kSecond);
}

TEST(TokenBucketTest, WhoTakesMoreThanThereIsWaitsLonger) {
    TokenBucket bucket(1000, 10 * kMs);
    bucket.take(30, kNow);
    EXPECT_EQ(bucket.open_at_ns(), kNow + 21 * kMs);
}

TEST(TokenBucketTest, WithoutARateNothingWaits) {
    TokenBucket bucket;
    bucket.take(UINT64_MAX, kNow);
    EXPECT_LE(bucket.open_at_ns(), kNow);
    bucket.change(1, 0, kNow);
    bucket.take(100, kNow);
    bucket.change(0, kMs, kNow);
    bucket.take(100, kNow);
    EXPECT_LE(bucket.open_at_ns(), kNow);
}

TEST(TokenBucketTest, TakesAnyRateAndBurst) {
    for (const uint64_t rate : {uint64_t{1}, uint64_t{INT64_MAX}, UINT64_MAX}) {
        for (const uint64_t burst : {uint64_t{0}, uint64_t{INT64_MAX}, UINT64_MAX}) {
            TokenBucket bucket(rate, burst);
            EXPECT_LE(bucket.open_at_ns(), kNow);
            bucket.take(1, kNow);
            EXPECT_LE(bucket.open_at_ns(), kNow + kSecond);
            bucket.take(UINT64_MAX, kNow);
            EXPECT_LE(bucket.open_at_ns(), uint64_t{INT64_MAX});
        }
    }
}

TEST(TokenBucketTest, ARateThatChangesLeavesNobodyWaitingLongerThanTheNewBurst) {
    TokenBucket bucket(1, TokenBucket::time_of(1, 100));
    EXPECT_EQ(drain(bucket, kNow), 100u);
    bucket.change(1000, TokenBucket::time_of(1000, 10), kNow);
    EXPECT_EQ(bucket.open_at_ns(), kNow + kMs);
}

}  // namespace
}  // namespace vrdma
