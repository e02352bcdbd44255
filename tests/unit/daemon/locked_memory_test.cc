// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/rnic/locked_memory.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace vrdma::daemon {
namespace {

enum Outcome { kHolds, kDoesNotHold, kNoSuchLimitHere };

// Whether `action` returns true in a child process with this limit and without capabilities.
Outcome without_capabilities(const rlimit& limit, const std::function<bool()>& action) {
    const pid_t child = ::fork();
    if (child == 0) {
        if (::setrlimit(RLIMIT_MEMLOCK, &limit) != 0) {
            ::_exit(kNoSuchLimitHere);
        }
        __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
        const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
        const bool dropped = ::syscall(SYS_capset, &header, none) == 0;
        ::_exit(dropped && action() ? kHolds : kDoesNotHold);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? static_cast<Outcome>(WEXITSTATUS(status)) : kDoesNotHold;
}

TEST(LockedMemoryTest, AProcessWithoutTheCapabilityHasItsHardLimit) {
    EXPECT_EQ(without_capabilities({.rlim_cur = 4096, .rlim_max = 65536},
                                   [] {
                                       rlimit now{};
                                       return raise_locked_memory_limit() == 65536U &&
                                              ::getrlimit(RLIMIT_MEMLOCK, &now) == 0 &&
                                              now.rlim_cur == 65536U;
                                   }),
              kHolds);
}

TEST(LockedMemoryTest, AnInfiniteHardLimitIsNone) {
    const Outcome outcome = without_capabilities({.rlim_cur = 4096, .rlim_max = RLIM_INFINITY}, [] {
        return raise_locked_memory_limit() == std::nullopt;
    });
    if (outcome == kNoSuchLimitHere) {
        GTEST_SKIP() << "this process may not raise its limit";
    }
    EXPECT_EQ(outcome, kHolds);
}

}  // namespace
}  // namespace vrdma::daemon
