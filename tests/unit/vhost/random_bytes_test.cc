// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Bytes that a broken or hostile VMM might send: the server survives all of them.
#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <random>

#include "ring_kind.h"
#include "test_server.h"

namespace vrdma::test {
namespace {

class RandomBytesTest : public ServerTest {
  protected:
    uint32_t random(uint32_t below) { return static_cast<uint32_t>(generator_() % below); }

    void expect_alive() {
        // The server may take a moment to see that the VMM before has left.
        device_.wait("the end",
                     [](const auto& state) { return state.connected == state.disconnected; });
        FakeVmm vmm(server_.path());
        EXPECT_EQ(vmm.ask_u64(vhost::Request::kGetQueueNum), TestDevice::kQueues);
    }

    std::mt19937 generator_{20260101};  // NOLINT: the same every time
};

TEST_F(RandomBytesTest, NoiseIsSurvived) {
    for (int round = 0; round < 200; ++round) {
        device_.wait("the end",
                     [](const auto& state) { return state.connected == state.disconnected; });
        FakeVmm vmm(server_.path());
        std::vector<std::byte> noise(random(300));
        for (auto& byte : noise) {
            byte = static_cast<std::byte>(random(256));
        }
        try {
            vmm.send_raw(noise);
        } catch (const std::runtime_error&) {
            // The server closed the connection, as it may.
        }
        // The VMM leaves only once it was connected, so that the wait above cannot be too early.
        device_.wait("the connection", [&](const auto& state) {
            return state.connected == static_cast<unsigned>(round) + 1;
        });
    }
    expect_alive();
}

TEST_F(RandomBytesTest, RandomMessagesAreSurvived) {
    FakeMemory memory;
    const FileDescriptor event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    for (int round = 0; round < 100; ++round) {
        device_.wait("the end",
                     [](const auto& state) { return state.connected == state.disconnected; });
        FakeVmm vmm(server_.path());
        try {
            const uint64_t features =
                vmm.negotiate(round % 2 == 0 ? kPackedEventIdx.features : kSplitEventIdx.features);
            if (round % 3 != 0) {
                vmm.share(memory);
                auto queue = DriverQueue::create(memory, 4, features);
                vmm.start_queue(random(TestDevice::kQueues), *queue);
            }
            for (int i = 0; i < 50; ++i) {
                // Mostly well-formed headers, so that the handlers are reached.
                static constexpr uint32_t kSizes[] = {0, 8, 12, 40, 20, 264, 16};
                std::vector<std::byte> payload(kSizes[random(std::size(kSizes))]);
                for (auto& byte : payload) {
                    byte = static_cast<std::byte>(random(4) == 0 ? random(256) : random(3));
                }
                const std::vector<int> fds(
                    random(4) == 0 ? 1 : 0,
                    random(2) == 0 ? event.get() : memory.regions()[0]->file.get());
                vmm.send(static_cast<vhost::Request>(random(45)), payload, fds);
            }
        } catch (const std::runtime_error&) {
            // The server closed the connection, as it may.
        }
        device_.wait("the connection", [&](const auto& state) {
            return state.connected == static_cast<unsigned>(round) + 1;
        });
    }
    expect_alive();
}

TEST_F(RandomBytesTest, RandomRingsAreSurvived) {
    for (int round = 0; round < 100; ++round) {
        FakeMemory memory(1 << 20);
        device_.wait("the end",
                     [](const auto& state) { return state.connected == state.disconnected; });
        FakeVmm vmm(server_.path());
        const RingKind kind = round % 2 == 0 ? kPacked : kSplit;
        const uint64_t features = vmm.negotiate(kind.features);
        ASSERT_TRUE(vmm.share(memory));
        auto queue = DriverQueue::create(memory, 16, features);
        vmm.start_queue(0, *queue);
        auto* words = memory.at<uint16_t>(memory.regions()[0]->start);
        for (int i = 0; i < 20; ++i) {
            std::vector<RawDescriptor> descriptors(1 + random(16));
            for (auto& descriptor : descriptors) {
                descriptor.address = memory.regions()[0]->start + random(1 << 19);
                descriptor.length = 1 + random(64);
                descriptor.flags = static_cast<uint16_t>(random(3));
                descriptor.next = static_cast<uint16_t>(random(17));
            }
            queue->forge(descriptors);
            std::atomic_ref(words[random(1 << 18)]).store(static_cast<uint16_t>(random(65536)));
            queue->kick();
        }
        vmm.stop_queue(0);
        { FakeVmm leaving = std::move(vmm); }
        device_.wait("the end", [&](const auto& state) {
            return state.disconnected == static_cast<unsigned>(round) + 1;
        });
    }
    expect_alive();
}

}  // namespace
}  // namespace vrdma::test
