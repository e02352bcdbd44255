// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/service/stop_limit.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

namespace vrdma::daemon {
namespace {

TEST(StopLimitDeathTest, AProcessThatHangsEndsAndSaysSo) {
    EXPECT_EXIT(
        {
            end_within(std::chrono::seconds(1));
            for (;;) {
                ::pause();
            }
        },
        testing::ExitedWithCode(EXIT_FAILURE), "a thread does not end");
}

}  // namespace
}  // namespace vrdma::daemon
