// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Requests to the VMM: mapping into a shared memory region, and news of the configuration.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "ring_kind.h"
#include "support/fake_backend_requests.h"
#include "support/socket_io.h"
#include "test_server.h"

namespace vrdma::test {
namespace {

using vhost::MapRequest;

constexpr uint64_t kPage = 4096;

// Results of requests, in the order in which they came.
class Results {
  public:
    vhost::BackendRequests::Completion completion() {
        return [this](Result<void> result) {
            std::lock_guard lock(mutex_);
            errors_.push_back(result ? 0 : to_int(result.error()));
            changed_.notify_all();
        };
    }

    std::vector<int> wait(size_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, std::chrono::minutes(1), [&] { return errors_.size() >= count; });
        return errors_;
    }

    size_t size() {
        std::lock_guard lock(mutex_);
        return errors_.size();
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<int> errors_;
};

class BackendRequestsTest : public ServerTest {
  protected:
    BackendRequestsTest() {
        EXPECT_EQ(::ftruncate(file_.get(), 16 * kPage), 0);
        vmm_->negotiate();
        vmm_side_ = vmm_->open_backend_requests();
        channel_ = device_.state().backend_requests;
    }

    ~BackendRequestsTest() override {
        vmm_side_.reset();
        server_.stop();  // the completions refer to the results
    }

    Result<void> map(uint64_t region_offset, uint64_t length = kPage) {
        MapRequest request;
        request.region = 1;
        request.fd = file_.get();
        request.fd_offset = 2 * kPage;
        request.region_offset = region_offset;
        request.length = length;
        return channel_->map(request, results_.completion());
    }

    // What recv() of one byte brings on the VMM's side: 0 at the end of the stream, or an errno.
    int read_channel(int flags) {
        std::byte byte{};
        return ::recv(vmm_side_->fd(), &byte, 1, flags) < 0 ? errno : 0;
    }

    // The VMM disconnects, and sees the channel alive until the device has let go of everything.
    void expect_end_after_disconnected() {
        int in_disconnected = 0;
        device_.on_disconnected([&] { in_disconnected = read_channel(MSG_DONTWAIT); });
        channel_.reset();
        vmm_.reset();
        EXPECT_EQ(read_channel(0), 0);
        device_.wait("the end", [](const auto& state) { return state.disconnected == 1; });
        EXPECT_EQ(in_disconnected, EAGAIN);
    }

    FileDescriptor file_{::memfd_create("device", MFD_CLOEXEC)};
    std::optional<FakeVmm> vmm_{std::in_place, server_.path()};
    std::unique_ptr<FakeBackendRequests> vmm_side_;
    std::shared_ptr<vhost::BackendRequests> channel_;
    Results results_;
};

TEST_F(BackendRequestsTest, MapIsTheMessageThatQemuKnows) {
    ASSERT_TRUE(map(0x7000, 3 * kPage));
    const auto request = vmm_side_->receive();
    EXPECT_EQ(request.header.request, 9u);
    EXPECT_EQ(request.header.flags, vhost::kVersion | vhost::kFlagNeedReply);
    EXPECT_EQ(request.header.size, 40u);
    EXPECT_EQ(request.mapping.region, 1u);
    EXPECT_EQ(request.mapping.fd_offset, 2 * kPage);
    EXPECT_EQ(request.mapping.region_offset, 0x7000u);
    EXPECT_EQ(request.mapping.length, 3 * kPage);
    EXPECT_EQ(request.mapping.flags, 1u);
    EXPECT_EQ(request.fds.size(), 1u);
    vmm_side_->reply(request, 0);
    EXPECT_EQ(results_.wait(1), std::vector{0});
}

TEST_F(BackendRequestsTest, AReadOnlyMappingSaysSo) {
    MapRequest request;
    request.fd = file_.get();
    request.length = kPage;
    request.writable = false;
    ASSERT_TRUE(channel_->map(request, results_.completion()));
    EXPECT_EQ(vmm_side_->receive().mapping.flags, 0u);
}

TEST_F(BackendRequestsTest, UnmapCarriesNoDescriptor) {
    ASSERT_TRUE(channel_->unmap(1, 0x7000, kPage, results_.completion()));
    const auto request = vmm_side_->receive();
    EXPECT_EQ(request.header.request, 10u);
    EXPECT_EQ(request.header.size, 40u);
    EXPECT_EQ(request.mapping.region, 1u);
    EXPECT_EQ(request.mapping.region_offset, 0x7000u);
    EXPECT_EQ(request.mapping.length, kPage);
    EXPECT_TRUE(request.fds.empty());
    vmm_side_->reply(request, 0);
    EXPECT_EQ(results_.wait(1), std::vector{0});
}

TEST_F(BackendRequestsTest, WhatIsMappedIsSeenInTheSharedMemoryRegion) {
    FakeShm shm(1 << 20);
    vmm_side_->serve(shm);
    ASSERT_TRUE(map(5 * kPage));
    ASSERT_EQ(results_.wait(1), std::vector{0});
    const std::byte value{0x5a};
    ASSERT_EQ(::pwrite(file_.get(), &value, 1, 2 * kPage + 10), 1);
    EXPECT_EQ(shm.data()[5 * kPage + 10], value);
    shm.data()[5 * kPage + 11] = std::byte{0x77};
    std::byte back{};
    ASSERT_EQ(::pread(file_.get(), &back, 1, 2 * kPage + 11), 1);
    EXPECT_EQ(back, std::byte{0x77});

    ASSERT_TRUE(channel_->unmap(1, 5 * kPage, kPage, results_.completion()));
    EXPECT_EQ(results_.wait(2), (std::vector{0, 0}));
    EXPECT_EQ(vmm_side_->maps(), 1u);
    EXPECT_EQ(vmm_side_->unmaps(), 1u);
}

TEST_F(BackendRequestsTest, TheVmmsErrorReachesTheCompletion) {
    for (const auto& [value, error] : std::vector<std::pair<uint64_t, int>>{
             {EEXIST, EEXIST}, {ENOMEM, ENOMEM}, {1, EIO}, {UINT64_MAX, EIO}}) {
        const size_t before = results_.size();
        ASSERT_TRUE(map(0));
        vmm_side_->reply(vmm_side_->receive(), value);
        EXPECT_EQ(results_.wait(before + 1).back(), error);
    }
}

TEST_F(BackendRequestsTest, RepliesBelongToRequestsInTheirOrder) {
    ASSERT_TRUE(map(0));
    ASSERT_TRUE(channel_->unmap(1, 0, kPage, results_.completion()));
    ASSERT_TRUE(map(kPage));
    const auto first = vmm_side_->receive();
    const auto second = vmm_side_->receive();
    const auto third = vmm_side_->receive();
    vmm_side_->reply(first, EBUSY);
    vmm_side_->reply(second, ENOENT);
    vmm_side_->reply(third, 0);
    EXPECT_EQ(results_.wait(3), (std::vector{EBUSY, ENOENT, 0}));
}

TEST_F(BackendRequestsTest, ACompletionMayMakeTheNextRequest) {
    MapRequest request;
    request.fd = file_.get();
    request.length = kPage;
    const auto next = results_.completion();
    ASSERT_TRUE(channel_->map(request, [this, next](Result<void>) {
        if (!channel_->unmap(1, 0, kPage, next)) {
            next(fail(EINVAL));
        }
    }));
    vmm_side_->reply(vmm_side_->receive(), 0);
    vmm_side_->reply(vmm_side_->receive(), 0);
    EXPECT_EQ(results_.wait(1), std::vector{0});
}

TEST_F(BackendRequestsTest, ADisconnectInMidMapFailsWhatIsOutstanding) {
    ASSERT_TRUE(map(0));
    ASSERT_TRUE(map(kPage));
    vmm_side_->receive();
    vmm_.reset();
    EXPECT_EQ(results_.wait(2), (std::vector{ECONNRESET, ECONNRESET}));
    device_.wait("the end", [](const auto& state) { return state.disconnected == 1; });
    EXPECT_EQ(map(0).error(), Errno{ECONNRESET});
    EXPECT_EQ(channel_->config_changed().error(), Errno{ECONNRESET});
}

// To a VMM that has cut the connection off, the end of the channel says that guest memory is free.
TEST_F(BackendRequestsTest, TheChannelEndsAfterTheDeviceHasLetGoOfEverything) {
    expect_end_after_disconnected();
}

TEST_F(BackendRequestsTest, AChannelThatTheVmmHasClosedEndsAfterTheDeviceHasLetGoOfEverything) {
    ASSERT_TRUE(map(0));
    vmm_side_->receive();
    ASSERT_EQ(::shutdown(vmm_side_->fd(), SHUT_WR), 0);
    EXPECT_EQ(results_.wait(1), std::vector{ECONNRESET});
    expect_end_after_disconnected();
}

TEST_F(BackendRequestsTest, AChannelThatTheVmmClosesFailsAndTheConnectionGoesOn) {
    ASSERT_TRUE(map(0));
    vmm_side_.reset();
    EXPECT_EQ(results_.wait(1), std::vector{ECONNRESET});
    EXPECT_EQ(vmm_->ask_u64(vhost::Request::kGetQueueNum), TestDevice::kQueues);
    EXPECT_EQ(device_.state().disconnected, 0u);
}

TEST_F(BackendRequestsTest, AReplyThatNobodyAskedForClosesTheChannel) {
    FakeBackendRequests::Request nothing{};
    nothing.header.request = 9;
    vmm_side_->reply(nothing, 0);
    // The VMM sees the end of the stream.
    EXPECT_THROW(vmm_side_->receive(), std::runtime_error);
    EXPECT_EQ(map(0).error(), Errno{ECONNRESET});
}

TEST_F(BackendRequestsTest, AReplyToAnotherRequestClosesTheChannel) {
    ASSERT_TRUE(map(0));
    auto request = vmm_side_->receive();
    request.header.request = 10;
    vmm_side_->reply(request, 0);
    EXPECT_EQ(results_.wait(1), std::vector{ECONNRESET});
    EXPECT_EQ(server_.log().count("was not expected"), 1u);
}

TEST_F(BackendRequestsTest, TheLatestChannelCounts) {
    ASSERT_TRUE(map(0));
    vmm_side_->receive();
    auto second = vmm_->open_backend_requests();
    EXPECT_EQ(results_.wait(1), std::vector{ECONNRESET});
    const auto old = std::exchange(channel_, device_.state().backend_requests);
    EXPECT_NE(old, channel_);
    EXPECT_EQ(old->config_changed().error(), Errno{ECONNRESET});
    ASSERT_TRUE(map(kPage));
    second->reply(second->receive(), 0);
    EXPECT_EQ(results_.wait(2), (std::vector{ECONNRESET, 0}));
    // QEMU reads on from its own channel, and would report the end of it.
    std::byte byte{};
    EXPECT_EQ(::recv(vmm_side_->fd(), &byte, 1, MSG_DONTWAIT), -1);
    EXPECT_EQ(errno, EAGAIN);
}

TEST_F(BackendRequestsTest, ConfigChangedNeedsNoReply) {
    ASSERT_TRUE(channel_->config_changed());
    const auto request = vmm_side_->receive();
    EXPECT_EQ(request.header.request, 2u);
    EXPECT_EQ(request.header.flags, vhost::kVersion);
    EXPECT_EQ(request.header.size, 0u);
}

TEST_F(BackendRequestsTest, OutstandingRequestsAreBounded) {
    // Nobody receives, so that the socket fills up, and then the queue.
    size_t accepted = 0;
    Result<void> last;
    while (accepted <= vhost::BackendRequests::kMaxOutstanding) {
        last = channel_->unmap(1, 0, kPage, results_.completion());
        if (!last) {
            break;
        }
        ++accepted;
    }
    EXPECT_EQ(accepted, vhost::BackendRequests::kMaxOutstanding);
    EXPECT_EQ(last.error(), Errno{EAGAIN});
    // All of it arrives once somebody receives.
    for (size_t i = 0; i < accepted; ++i) {
        vmm_side_->reply(vmm_side_->receive(), 0);
    }
    EXPECT_EQ(results_.wait(accepted), std::vector<int>(accepted, 0));
}

TEST_F(BackendRequestsTest, MapsWaitForAFullSocketWithoutBlocking) {
    size_t accepted = 0;
    while (accepted < 600 && map(0)) {
        ++accepted;
    }
    ASSERT_EQ(accepted, 600u);
    for (size_t i = 0; i < accepted; ++i) {
        const auto request = vmm_side_->receive();
        ASSERT_EQ(request.fds.size(), 1u);
        vmm_side_->reply(request, 0);
    }
    EXPECT_EQ(results_.wait(accepted), std::vector<int>(accepted, 0));
}

TEST_F(BackendRequestsTest, ADescriptorThatIsNotOneIsRefusedAtOnce) {
    MapRequest request;
    request.fd = -1;
    request.length = kPage;
    EXPECT_EQ(channel_->map(request, results_.completion()).error(), Errno{EBADF});
}

TEST_F(BackendRequestsTest, ThreadsMayMakeRequestsAtTheSameTime) {
    FakeShm shm(1 << 20);
    vmm_side_->serve(shm);
    constexpr int kThreads = 3;
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([this, i] {
            for (int n = 0; n < 50; ++n) {
                EXPECT_TRUE(map(static_cast<uint64_t>(i) * kPage));
                EXPECT_TRUE(channel_->config_changed());
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(results_.wait(150), std::vector<int>(150, 0));
    EXPECT_EQ(vmm_side_->maps(), 150u);
}

TEST_F(BackendRequestsTest, WithoutReplyAckNothingCanBeMapped) {
    const uint64_t protocol = vhost::bit(vhost::ProtocolFeature::kBackendReq);
    vmm_->send(vhost::Request::kSetProtocolFeatures, std::as_bytes(std::span(&protocol, 1)));
    SocketPair pair = make_socket_pair();
    const int theirs = pair.theirs.get();
    vmm_->send(vhost::Request::kSetBackendReqFd, {}, std::span(&theirs, 1));
    EXPECT_EQ(vmm_->ask_u64(vhost::Request::kGetQueueNum), TestDevice::kQueues);
    channel_ = device_.state().backend_requests;
    EXPECT_EQ(map(0).error(), Errno{EOPNOTSUPP});
    EXPECT_TRUE(channel_->config_changed());
}

// The files of requests that the VMM does not read are let go of without its help.
TEST_F(BackendRequestsTest, MapsThatWereNotSentCanBeWithdrawn) {
    Results results;
    // Fills the socket.
    constexpr size_t kMaps = vhost::BackendRequests::kMaxOutstanding;
    for (size_t i = 0; i < kMaps; ++i) {
        const auto asked =
            i % 2 == 0 ? channel_->map({.fd = file_.get(), .length = kPage}, results.completion())
                       : channel_->unmap(0, 0, kPage, results.completion());
        ASSERT_TRUE(asked);
    }
    channel_->withdraw_maps();
    const auto withdrawn = results.wait(1);
    EXPECT_GT(withdrawn.size(), 0U) << "the socket is not full";
    EXPECT_EQ(std::ranges::count(withdrawn, ECANCELED), static_cast<ssize_t>(withdrawn.size()));
    // The others have their answers in their order, whatever was between them.
    for (size_t i = withdrawn.size(); i < kMaps; ++i) {
        const auto request = vmm_side_->receive();
        vmm_side_->reply(request, request.type() == vhost::BackendRequest::kShmemMap ? 0 : ENOENT);
    }
    const auto all = results.wait(kMaps);
    EXPECT_EQ(std::ranges::count(all, ENOENT), static_cast<ssize_t>(kMaps / 2));
    EXPECT_EQ(std::ranges::count(all, 0), static_cast<ssize_t>(kMaps / 2 - withdrawn.size()));
}

}  // namespace
}  // namespace vrdma::test
