// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Rings over the socket: their states, and a device that works on them with its own threads.
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ring_kind.h"
#include "support/socket_io.h"
#include "test_server.h"

namespace vrdma::test {
namespace {

using vhost::Request;

std::vector<std::byte> request_pattern(size_t size, unsigned seed) {
    std::vector<std::byte> bytes(size);
    for (size_t i = 0; i < size; ++i) {
        bytes[i] = static_cast<std::byte>(i * 3 + seed);
    }
    return bytes;
}

class QueueTest : public ServerTest, public testing::WithParamInterface<RingKind> {
  protected:
    QueueTest() {
        features_ = vmm_.negotiate(GetParam().features);
        EXPECT_TRUE(vmm_.share(memory_));
    }

    std::unique_ptr<DriverQueue> make_queue(uint16_t size = 16) {
        return DriverQueue::create(memory_, size, features_);
    }

    void expect_echo(DriverQueue& queue, unsigned seed) {
        const auto request = request_pattern(100 + seed, seed);
        EXPECT_EQ(queue.transact(request, 4096), request);
    }

    FakeMemory memory_;
    FakeVmm vmm_{server_.path()};
    uint64_t features_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Rings, QueueTest, all_ring_kinds(), ring_kind_name);

TEST_P(QueueTest, AnswersRequests) {
    auto queue = make_queue();
    vmm_.start_queue(0, *queue);
    for (unsigned i = 0; i < 200; ++i) {
        expect_echo(*queue, i % 50);
    }
}

TEST_P(QueueTest, QueuesWorkSideBySide) {
    auto first = make_queue();
    auto second = make_queue(4);
    vmm_.start_queue(0, *first);
    vmm_.start_queue(2, *second);
    for (unsigned i = 0; i < 20; ++i) {
        expect_echo(*first, i);
        expect_echo(*second, i + 1);
    }
    const auto running = device_.state().running;
    EXPECT_TRUE(running[0]);
    EXPECT_FALSE(running[1]);
    EXPECT_TRUE(running[2]);
}

TEST_P(QueueTest, ChainsThatWereAvailableBeforeTheStartAreServed) {
    auto queue = make_queue();
    const uint16_t id = queue->add({Buffer{memory_.store(request_pattern(10, 1)), 10}});
    vmm_.start_queue(0, *queue);
    EXPECT_EQ(queue->wait_used().id, id);
}

TEST_P(QueueTest, AStartedQueueDoesNotRunBeforeItIsEnabled) {
    auto queue = make_queue();
    vmm_.start_queue(0, *queue);
    EXPECT_TRUE(vmm_.enable_queue(0, false));
    EXPECT_FALSE(device_.state().running[0]);
    queue->add({Buffer{memory_.store(request_pattern(10, 1)), 10}});
    queue->kick();
    EXPECT_TRUE(vmm_.enable_queue(0, true));
    EXPECT_TRUE(device_.state().running[0]);
    queue->wait_used();
}

TEST_P(QueueTest, AnEnabledQueueDoesNotRunBeforeItIsStarted) {
    EXPECT_TRUE(vmm_.enable_queue(0, true));
    EXPECT_FALSE(device_.state().running[0]);
    auto queue = make_queue();
    vmm_.start_queue(0, *queue);
    expect_echo(*queue, 3);
}

TEST_P(QueueTest, StopAndResumeWithChainsInFlight) {
    auto queue = make_queue();
    vmm_.start_queue(0, *queue);
    expect_echo(*queue, 1);
    device_.hold(true);
    std::vector<uint16_t> ids;
    ids.reserve(3);
    while (ids.size() < 3) {
        ids.push_back(queue->add({Buffer{memory_.store(request_pattern(10, 1)), 10}}));
    }
    queue->kick();
    device_.wait("held chains", [](const auto& state) { return state.held[0] == 3; });
    const uint32_t base = vmm_.stop_queue(0);
    EXPECT_FALSE(device_.state().running[0]);
    EXPECT_FALSE(queue->take_used());

    device_.hold(false);
    vmm_.start_queue(0, *queue, base);
    for (const uint16_t id : ids) {
        EXPECT_EQ(queue->wait_used().id, id);
    }
    expect_echo(*queue, 2);
}

TEST_P(QueueTest, GetVringBaseOfAQueueThatWasNotStartedIsItsBase) {
    auto queue = make_queue();
    EXPECT_TRUE(vmm_.set_vring(Request::kSetVringBase, 1, queue->initial_base()));
    EXPECT_EQ(vmm_.stop_queue(1), queue->initial_base());
}

TEST_P(QueueTest, AQueueThatRunsCannotBeDescribedAnew) {
    auto queue = make_queue();
    auto other = make_queue();
    vmm_.start_queue(0, *queue);
    EXPECT_FALSE(vmm_.set_vring(Request::kSetVringNum, 0, 8));
    EXPECT_FALSE(vmm_.set_vring(Request::kSetVringBase, 0, 0));
    EXPECT_FALSE(vmm_.set_addresses(0, other->layout()));
    EXPECT_TRUE(vmm_.set_addresses(0, queue->layout()));
    expect_echo(*queue, 1);
}

TEST_P(QueueTest, FeaturesCannotChangeWhileAQueueRuns) {
    auto queue = make_queue();
    vmm_.start_queue(0, *queue);
    const uint64_t others = features_ & ~vhost::bit(VIRTIO_RING_F_INDIRECT_DESC);
    EXPECT_FALSE(vmm_.acknowledged(Request::kSetFeatures, std::as_bytes(std::span(&others, 1))));
    EXPECT_TRUE(vmm_.acknowledged(Request::kSetFeatures, std::as_bytes(std::span(&features_, 1))));
}

TEST_P(QueueTest, WithoutVersionOneNoQueueStarts) {
    const uint64_t legacy = features_ & ~vhost::bit(VIRTIO_F_VERSION_1);
    EXPECT_TRUE(vmm_.acknowledged(Request::kSetFeatures, std::as_bytes(std::span(&legacy, 1))));
    auto queue = make_queue();
    EXPECT_THROW(vmm_.start_queue(0, *queue), std::runtime_error);
}

TEST_P(QueueTest, TheCallDescriptorMayChangeAtAnyTime) {
    auto queue = make_queue();
    vmm_.start_queue(0, *queue);
    for (unsigned i = 0; i < 100; ++i) {
        queue->add({Buffer{memory_.store(request_pattern(10, i)), 10}});
        queue->publish();
        // As QEMU does when the guest masks and unmasks the vector.
        const FileDescriptor masked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        EXPECT_TRUE(vmm_.set_vring_fd(Request::kSetVringCall, 0, masked.get()));
        EXPECT_TRUE(vmm_.set_vring_fd(Request::kSetVringCall, 0, queue->call_fd()));
        uint64_t count = 0;
        if (::read(masked.get(), &count, sizeof(count)) == sizeof(count)) {
            ASSERT_TRUE(queue->take_used());
        } else {
            queue->wait_used();
        }
    }
}

TEST_P(QueueTest, TheKickDescriptorMayChangeWhileTheQueueRuns) {
    auto queue = make_queue();
    vmm_.start_queue(0, *queue);
    expect_echo(*queue, 1);
    auto other = make_queue();  // only for its descriptor
    EXPECT_TRUE(vmm_.set_vring_fd(Request::kSetVringKick, 0, other->kick_fd()));
    queue->add({Buffer{memory_.store(request_pattern(10, 1)), 10}});
    other->kick();
    queue->wait_used();
}

TEST_P(QueueTest, ResetOwnerDisablesAllQueues) {
    auto queue = make_queue();
    vmm_.start_queue(0, *queue);
    EXPECT_TRUE(vmm_.acknowledged(Request::kResetOwner));
    EXPECT_FALSE(device_.state().running[0]);
    EXPECT_TRUE(vmm_.enable_queue(0, true));
    expect_echo(*queue, 1);
}

TEST_P(QueueTest, ResetDeviceStopsAllQueuesFirst) {
    auto first = make_queue();
    auto second = make_queue();
    vmm_.start_queue(0, *first);
    vmm_.start_queue(1, *second);
    EXPECT_TRUE(vmm_.acknowledged(Request::kResetDevice));
    EXPECT_EQ(device_.state().resets, 1u);
    EXPECT_FALSE(device_.state().running[0]);
    EXPECT_FALSE(device_.state().running[1]);
    auto fresh = make_queue();
    vmm_.start_queue(0, *fresh);
    expect_echo(*fresh, 1);
}

TEST_P(QueueTest, AMalformedChainStopsItsQueueOnly) {
    auto broken = make_queue();
    auto healthy = make_queue();
    vmm_.start_queue(0, *broken);
    vmm_.start_queue(1, *healthy);
    broken->forge(std::vector<RawDescriptor>{{UINT64_MAX - 100, 64}});
    broken->kick();
    wait_readable(broken->error_fd(), "the ring error");
    expect_echo(*healthy, 1);

    vmm_.stop_queue(0);
    auto fresh = make_queue();
    vmm_.start_queue(0, *fresh);
    expect_echo(*fresh, 2);
}

TEST_P(QueueTest, AQueueThatWasGivenUpWorksAfterAReset) {
    auto broken = make_queue();
    vmm_.start_queue(0, *broken);
    broken->forge(std::vector<RawDescriptor>{{uint64_t{1} << 40, 64}});
    broken->kick();
    wait_readable(broken->error_fd(), "the ring error");

    EXPECT_TRUE(vmm_.acknowledged(Request::kResetDevice));
    auto fresh = make_queue();
    vmm_.start_queue(0, *fresh);
    expect_echo(*fresh, 2);
    EXPECT_FALSE(fresh->error_signalled());
}

TEST_P(QueueTest, ARingOutsideGuestMemoryIsAnErrorOfItsQueue) {
    auto queue = make_queue();
    FakeMemory other(16 << 20, uint64_t{1} << 40);
    auto elsewhere = DriverQueue::create(other, 16, features_);
    EXPECT_THROW(vmm_.start_queue(0, *elsewhere), std::runtime_error);
    wait_readable(elsewhere->error_fd(), "the ring error");
    vmm_.start_queue(0, *queue);
    expect_echo(*queue, 1);
}

TEST_P(QueueTest, DisconnectingStopsTheQueues) {
    auto queue = make_queue();
    vmm_.start_queue(0, *queue);
    device_.hold(true);
    queue->add({Buffer{memory_.store(request_pattern(10, 1)), 10}});
    queue->kick();
    device_.wait("a held chain", [](const auto& state) { return state.held[0] == 1; });
    { FakeVmm leaving = std::move(vmm_); }
    device_.wait("the end", [](const auto& state) { return state.disconnected == 1; });
    EXPECT_FALSE(device_.state().running[0]);
}

TEST_P(QueueTest, WithoutProtocolFeaturesAQueueIsEnabledWhenItStarts) {
    const uint64_t features = features_ & ~vhost::bit(vhost::kFeatureProtocolFeatures);
    vmm_.send(Request::kSetFeatures, std::as_bytes(std::span(&features, 1)));
    auto queue = make_queue();
    EXPECT_TRUE(vmm_.set_vring(Request::kSetVringNum, 0, queue->size()));
    EXPECT_TRUE(vmm_.set_vring(Request::kSetVringBase, 0, queue->initial_base()));
    EXPECT_TRUE(vmm_.set_addresses(0, queue->layout()));
    EXPECT_TRUE(vmm_.set_vring_fd(Request::kSetVringCall, 0, queue->call_fd()));
    EXPECT_TRUE(vmm_.set_vring_fd(Request::kSetVringKick, 0, queue->kick_fd()));
    expect_echo(*queue, 1);
}

}  // namespace
}  // namespace vrdma::test
