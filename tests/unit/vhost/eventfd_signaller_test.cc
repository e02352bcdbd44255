// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vhost/rings/eventfd_signaller.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "support/signaller.h"

namespace vrdma::vhost {
namespace {

// More signals than the kernel keeps records of.
constexpr unsigned kMany = 5000;

TEST(EventfdSignallerTest, EachSignalCounts) {
    const FileDescriptor fd(::eventfd(3, EFD_CLOEXEC));
    for (unsigned i = 0; i < kMany; ++i) {
        ASSERT_TRUE(test::signaller().signal(fd.get()));
    }
    eventfd_t count = 0;
    ASSERT_EQ(::eventfd_read(fd.get(), &count), 0);
    EXPECT_EQ(count, kMany + 3);
}

TEST(EventfdSignallerTest, ThreadsMaySignalSideBySide) {
    const FileDescriptor fd(::eventfd(0, EFD_CLOEXEC));
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (unsigned k = 0; k < kMany; ++k) {
                EXPECT_TRUE(test::signaller().signal(fd.get()));
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    eventfd_t count = 0;
    ASSERT_EQ(::eventfd_read(fd.get(), &count), 0);
    EXPECT_EQ(count, 4 * kMany);
}

// A write would block for ever.
TEST(EventfdSignallerTest, AFullCounterWithoutNonblockBlocksNobody) {
    const FileDescriptor fd(::eventfd(0, EFD_CLOEXEC));
    ASSERT_EQ(::eventfd_write(fd.get(), UINT64_MAX - 1), 0);
    for (unsigned i = 0; i < kMany; ++i) {
        ASSERT_TRUE(test::signaller().signal(fd.get()));
    }
    EXPECT_TRUE(test::signaller().is_eventfd(fd.get()));
    eventfd_t count = 0;
    ASSERT_EQ(::eventfd_read(fd.get(), &count), 0);
    EXPECT_EQ(count, UINT64_MAX);
}

TEST(EventfdSignallerTest, AnEventfdIsKnownAndLeftAsItIs) {
    const FileDescriptor fd(::eventfd(7, EFD_CLOEXEC));
    EXPECT_TRUE(test::signaller().is_eventfd(fd.get()));
    eventfd_t count = 0;
    ASSERT_EQ(::eventfd_read(fd.get(), &count), 0);
    EXPECT_EQ(count, 7U);
}

TEST(EventfdSignallerTest, NothingElseIsTakenForAnEventfd) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const FileDescriptor reader(ends[0]);
    const FileDescriptor writer(ends[1]);
    const FileDescriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
    const FileDescriptor timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
    const FileDescriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    for (const FileDescriptor* fd : {&reader, &writer, &epoll, &timer, &null}) {
        EXPECT_FALSE(test::signaller().is_eventfd(fd->get()));
        EXPECT_FALSE(test::signaller().signal(fd->get()));
    }
}

}  // namespace
}  // namespace vrdma::vhost
