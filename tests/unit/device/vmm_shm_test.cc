// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "device/shm/vmm_shm.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <vrdma_protocol.h>

#include <functional>
#include <thread>

#include "support/captured_log.h"
#include "support/fake_backend_requests.h"
#include "support/page.h"

namespace vrdma::device {
namespace {

using test::kPage;

constexpr size_t kMappings = vhost::BackendRequests::kMaxOutstanding + 100;
constexpr uint32_t kContext = 3;
constexpr int kPatience = 10000;  // milliseconds, for what takes a few

class VmmShmTest : public testing::Test {
  protected:
    VmmShmTest() {
        int sockets[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
        EXPECT_EQ(::ftruncate(file_.get(), kPage), 0);
        channel_ = std::make_shared<vhost::BackendRequests>(FileDescriptor(sockets[0]),
                                                            FileDescriptor(), true, logger_);
        vmm_ = std::make_unique<test::FakeBackendRequests>(FileDescriptor(sockets[1]));
        shm_.set_channel(channel_);
        EXPECT_TRUE(shm_.set_size(kMappings * kPage));
    }
    ~VmmShmTest() override { channel_->close(); }

    // Handles the VMM's replies, as the connection's thread does, until `done`; `wake_`
    // has it look.
    void handle_replies_until(const std::function<bool()>& done) {
        while (!done()) {
            pollfd polled[] = {{channel_->fd(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
            ASSERT_GT(::poll(polled, 2, kPatience), 0) << "the VMM does not answer";
            ASSERT_TRUE(channel_->process());
        }
    }

    // Fills the shared memory region, page by page.
    std::vector<uint64_t> map_all() {
        std::vector<uint64_t> offsets;
        std::atomic<bool> done = false;
        std::thread control([&] {
            for (size_t i = 0; i < kMappings; ++i) {
                offsets.push_back(shm_.map(page()).value());
            }
            done = true;
            ::eventfd_write(wake_.get(), 1);
        });
        handle_replies_until([&] { return done.load(); });
        control.join();
        return offsets;
    }

    ShmSource page(uint32_t uctx = kContext) const {
        return {.uctx = uctx, .fd = file_.get(), .fd_offset = 0, .length = kPage};
    }

    // A command maps, and is cancelled when the VMM has been asked.  The VMM's request.
    test::FakeBackendRequests::Request map_cancelled(const ShmSource& source) {
        std::thread control([&] { EXPECT_EQ(shm_.map(source), tl::unexpected(Errno{ECANCELED})); });
        auto request = vmm_->receive();
        shm_.cancel(VmmShm::Cancel::kQueueStops);
        control.join();
        shm_.resume(VmmShm::Cancel::kQueueStops);
        return request;
    }

    // The VMM carries the request out; returns when this side knows.
    void carry_out(const test::FakeBackendRequests::Request& request) {
        ASSERT_EQ(vmm_shm_.map(request.mapping, request.fds[0].get()), 0);
        vmm_->reply(request, 0);
        handle_replies_until([&] { return shm_.unclaimed().has_value(); });
    }

    // The VMM is asked to take this mapping out.
    test::FakeBackendRequests::Request expect_unmap(uint64_t shm_offset) {
        auto unmap = vmm_->receive();
        EXPECT_EQ(unmap.type(), vhost::BackendRequest::kShmemUnmap);
        EXPECT_EQ(unmap.mapping.region_offset, shm_offset);
        EXPECT_EQ(unmap.mapping.length, kPage);
        return unmap;
    }

    std::shared_ptr<spdlog::logger> logger_ = test::silent_logger();
    FileDescriptor file_{::memfd_create("queue", MFD_CLOEXEC)};
    FileDescriptor wake_{::eventfd(0, EFD_CLOEXEC)};
    test::FakeShm vmm_shm_{kMappings * kPage};
    VmmShm shm_{"guest", logger_};
    std::shared_ptr<vhost::BackendRequests> channel_;
    std::unique_ptr<test::FakeBackendRequests> vmm_;
};

TEST_F(VmmShmTest, MoreUnmapsThanTheChannelTakesAtOnceAreAllDone) {
    vmm_->serve(vmm_shm_);
    const auto offsets = map_all();
    // No reply is handled meanwhile.
    for (const uint64_t offset : offsets) {
        shm_.unmap(offset, kPage);
    }
    handle_replies_until([&] { return shm_.used() == 0; });
    handle_replies_until([&] { return vmm_->unmaps() == kMappings; });
}

TEST_F(VmmShmTest, AMapFindsRoomInTheChannelWhileUnmapsWait) {
    vmm_->serve(vmm_shm_);
    for (const uint64_t offset : map_all()) {
        shm_.unmap(offset, kPage);
    }
    EXPECT_EQ(map_all().size(), kMappings);
}

TEST_F(VmmShmTest, TheSizeOfASharedMemoryRegionInUseStays) {
    vmm_->serve(vmm_shm_);
    const auto offsets = map_all();
    EXPECT_EQ(shm_.set_size(kPage), tl::unexpected(Errno{EBUSY}));
    EXPECT_TRUE(shm_.set_size(kMappings * kPage));
    for (const uint64_t offset : offsets) {
        shm_.unmap(offset, kPage);
    }
    handle_replies_until([&] { return shm_.used() == 0; });
    EXPECT_TRUE(shm_.set_size(kPage));
    EXPECT_EQ(shm_.size(), kPage);
}

TEST_F(VmmShmTest, AChannelThatIsClosedIsEnotconn) {
    channel_->close();
    EXPECT_EQ(shm_.map(page()), tl::unexpected(Errno{ENOTCONN}));
    EXPECT_EQ(shm_.used(), 0U);
}

// QEMU empties the region, tells the daemon, and only then comes to what is in the channel.
TEST_F(VmmShmTest, AMapUnderWayAtAResetIsUndoneAndItsPlaceIsNotGivenOutBefore) {
    const auto before_reset = map_cancelled(page());
    shm_.clear();
    EXPECT_EQ(shm_.used(), kPage);
    const auto after_reset = map_cancelled(page());
    EXPECT_NE(after_reset.mapping.region_offset, before_reset.mapping.region_offset);
    shm_.clear();
    shm_.clear();

    ASSERT_EQ(vmm_shm_.map(before_reset.mapping, before_reset.fds[0].get()), 0);
    vmm_->reply(before_reset, 0);
    handle_replies_until([&] { return shm_.used() == kPage; });
    expect_unmap(before_reset.mapping.region_offset);
    // The place is free again behind the request that empties it.
    EXPECT_EQ(map_cancelled(page()).mapping.region_offset, before_reset.mapping.region_offset);
    vmm_->reply(after_reset, EIO);
    handle_replies_until([&] { return shm_.used() == kPage; });
}

// rxe lets an offset be mapped once.
TEST_F(VmmShmTest, WhatTheVmmMappedForACancelledCommandIsThatCommandsWhenItComesAgain) {
    const auto request = map_cancelled(page());
    carry_out(request);
    EXPECT_EQ(shm_.map(page()), request.mapping.region_offset);
    EXPECT_EQ(shm_.unclaimed(), std::nullopt);
    EXPECT_EQ(shm_.used(), kPage);
}

TEST_F(VmmShmTest, ACommandThatComesAgainWaitsForWhatTheVmmWasAskedBefore) {
    const auto request = map_cancelled(page());
    std::atomic<bool> done = false;
    std::thread control([&] {
        EXPECT_EQ(shm_.map(page()), request.mapping.region_offset);
        done = true;
        ::eventfd_write(wake_.get(), 1);
    });
    ASSERT_EQ(vmm_shm_.map(request.mapping, request.fds[0].get()), 0);
    vmm_->reply(request, 0);
    handle_replies_until([&] { return done.load(); });
    control.join();
}

TEST_F(VmmShmTest, ACommandThatComesAgainAsksTheVmmAgainAfterAnError) {
    const auto refused = map_cancelled(page());
    vmm_->reply(refused, EIO);
    handle_replies_until([&] { return shm_.used() == 0; });
    EXPECT_EQ(map_cancelled(page()).type(), vhost::BackendRequest::kShmemMap);
}

TEST_F(VmmShmTest, WhatNoCommandComesForIsUnmapped) {
    const auto first = map_cancelled(page());
    carry_out(first);
    shm_.drop_unclaimed(kContext + 1);
    EXPECT_NE(shm_.unclaimed(), std::nullopt);
    shm_.drop_unclaimed(kContext);
    vmm_->reply(expect_unmap(first.mapping.region_offset), 0);

    const auto second = map_cancelled(page());
    carry_out(second);
    std::thread other(
        [&] { EXPECT_EQ(shm_.map(page(kContext + 1)), tl::unexpected(Errno{ECANCELED})); });
    expect_unmap(second.mapping.region_offset);
    EXPECT_EQ(vmm_->receive().type(), vhost::BackendRequest::kShmemMap);
    shm_.cancel(VmmShm::Cancel::kQueueStops);
    other.join();
}

TEST_F(VmmShmTest, WhatIsUnclaimedIsClaimedInAnotherProcess) {
    const auto request = map_cancelled(page());
    carry_out(request);
    const auto unclaimed = shm_.unclaimed();
    ASSERT_TRUE(unclaimed);

    VmmShm successor("guest", logger_);
    ASSERT_TRUE(successor.set_size(kMappings * kPage));
    ASSERT_TRUE(successor.adopt_unclaimed(*unclaimed));
    EXPECT_EQ(successor.used(), kPage);
    EXPECT_EQ(successor.map(page()), request.mapping.region_offset);
    EXPECT_EQ(successor.adopt_unclaimed(*unclaimed), tl::unexpected(Errno{EINVAL}));
}

TEST_F(VmmShmTest, ACancelledMapDoesNotWait) {
    shm_.cancel(VmmShm::Cancel::kQueueStops);
    EXPECT_EQ(shm_.map(page()), tl::unexpected(Errno{ECANCELED}));
}

// A change of memory, which begins and ends meanwhile, does not let a command wait for a VMM that
// is stopped.
TEST_F(VmmShmTest, AReasonToCancelOutlivesTheOthers) {
    shm_.cancel(VmmShm::Cancel::kSessionChanges);
    shm_.cancel(VmmShm::Cancel::kRnicIsLost);
    shm_.resume(VmmShm::Cancel::kSessionChanges);
    EXPECT_EQ(shm_.map(page()), tl::unexpected(Errno{ECANCELED}));
}

}  // namespace
}  // namespace vrdma::device
