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
                offsets.push_back(shm_.map(file_.get(), 0, kPage).value());
            }
            done = true;
            ::eventfd_write(wake_.get(), 1);
        });
        handle_replies_until([&] { return done.load(); });
        control.join();
        return offsets;
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
    EXPECT_EQ(shm_.map(file_.get(), 0, kPage), tl::unexpected(Errno{ENOTCONN}));
    EXPECT_EQ(shm_.used(), 0U);
}

// QEMU empties the region, tells the daemon, and only then comes to what is in the channel.
TEST_F(VmmShmTest, AMapUnderWayAtAResetIsUndoneAndItsPlaceIsNotGivenOutBefore) {
    const auto map_cancelled = [&] {
        std::thread control(
            [&] { EXPECT_EQ(shm_.map(file_.get(), 0, kPage), tl::unexpected(Errno{ECANCELED})); });
        auto request = vmm_->receive();
        shm_.cancel(VmmShm::Cancel::kQueueStops);
        control.join();
        shm_.resume(VmmShm::Cancel::kQueueStops);
        return request;
    };
    const auto before_reset = map_cancelled();
    shm_.clear();
    EXPECT_EQ(shm_.used(), kPage);
    const auto after_reset = map_cancelled();
    EXPECT_NE(after_reset.mapping.region_offset, before_reset.mapping.region_offset);
    shm_.clear();
    shm_.clear();

    ASSERT_EQ(vmm_shm_.map(before_reset.mapping, before_reset.fds[0].get()), 0);
    vmm_->reply(before_reset, 0);
    handle_replies_until([&] { return shm_.used() == kPage; });
    const auto unmap = vmm_->receive();
    EXPECT_EQ(unmap.type(), vhost::BackendRequest::kShmemUnmap);
    EXPECT_EQ(unmap.mapping.region_offset, before_reset.mapping.region_offset);
    EXPECT_EQ(unmap.mapping.length, kPage);
    // The place is free again behind the request that empties it.
    EXPECT_EQ(map_cancelled().mapping.region_offset, before_reset.mapping.region_offset);
    vmm_->reply(after_reset, EIO);
    handle_replies_until([&] { return shm_.used() == kPage; });
}

TEST_F(VmmShmTest, ACancelledMapDoesNotWait) {
    shm_.cancel(VmmShm::Cancel::kQueueStops);
    EXPECT_EQ(shm_.map(file_.get(), 0, kPage), tl::unexpected(Errno{ECANCELED}));
}

// A change of memory, which begins and ends meanwhile, does not let a command wait for a VMM that
// is stopped.
TEST_F(VmmShmTest, AReasonToCancelOutlivesTheOthers) {
    shm_.cancel(VmmShm::Cancel::kSessionChanges);
    shm_.cancel(VmmShm::Cancel::kRnicIsLost);
    shm_.resume(VmmShm::Cancel::kSessionChanges);
    EXPECT_EQ(shm_.map(file_.get(), 0, kPage), tl::unexpected(Errno{ECANCELED}));
}

}  // namespace
}  // namespace vrdma::device
