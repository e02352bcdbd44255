// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vhost/server/listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "ring_kind.h"
#include "test_server.h"

namespace vrdma::test {
namespace {

std::string error_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return "";
}

class ListenerTest : public ServerTest {
  protected:
    TemporaryFolder folder_;
    CapturedLog log_;
    TestDevice other_device_;
};

TEST_F(ListenerTest, ASecondVmmIsTurnedAwayWhileTheFirstIsConnected) {
    FakeVmm first(server_.path());
    EXPECT_EQ(first.ask_u64(vhost::Request::kGetQueueNum), TestDevice::kQueues);
    FakeVmm second(server_.path());
    second.wait_disconnected();
    EXPECT_EQ(server_.log().count("a second VMM is turned away"), 1u);
    EXPECT_EQ(first.ask_u64(vhost::Request::kGetQueueNum), TestDevice::kQueues);
    EXPECT_EQ(device_.state().connected, 1u);
}

TEST_F(ListenerTest, AVmmMayReconnectAnyNumberOfTimes) {
    for (unsigned i = 0; i < 20; ++i) {
        FakeMemory memory;
        FakeVmm vmm(server_.path());
        const uint64_t features = vmm.negotiate(kPackedEventIdx.features);
        ASSERT_TRUE(vmm.share(memory));
        auto queue = DriverQueue::create(memory, 16, features);
        vmm.start_queue(0, *queue);
        const std::vector<std::byte> request(10, static_cast<std::byte>(i));
        ASSERT_EQ(queue->transact(request, 10), request);
        { FakeVmm leaving = std::move(vmm); }
        device_.wait("the end", [&](const auto& state) { return state.disconnected == i + 1; });
        ASSERT_EQ(device_.state().connected, i + 1);
    }
}

TEST_F(ListenerTest, StoppingDisconnectsTheVmmAndRemovesTheSocket) {
    FakeVmm vmm(server_.path());
    vmm.negotiate();
    EXPECT_EQ(vmm.ask_u64(vhost::Request::kGetQueueNum), TestDevice::kQueues);
    server_.stop();
    vmm.wait_disconnected();
    EXPECT_EQ(device_.state().disconnected, 1u);
    EXPECT_FALSE(std::filesystem::exists(server_.path()));
}

TEST_F(ListenerTest, StopBeforeRunEndsItAtOnce) {
    vhost::Listener listener(folder_.file("socket"), 0600, other_device_, log_.logger());
    listener.stop();
    listener.run();
}

TEST_F(ListenerTest, TheSocketHasTheModeThatWasAskedFor) {
    vhost::Listener listener(folder_.file("socket"), 0620, other_device_, log_.logger());
    struct stat status {};
    ASSERT_EQ(::stat(listener.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0620u);
}

TEST_F(ListenerTest, ALiveSocketIsNotTakenAway) {
    EXPECT_THAT(error_of([&] {
                    vhost::Listener second(server_.path(), 0600, other_device_, log_.logger());
                }),
                testing::AllOf(testing::HasSubstr(server_.path()),
                               testing::HasSubstr("is in use by another process")));
    FakeVmm vmm(server_.path());
    EXPECT_EQ(vmm.ask_u64(vhost::Request::kGetQueueNum), TestDevice::kQueues);
}

TEST_F(ListenerTest, AStaleSocketIsReplaced) {
    const std::string path = folder_.file("socket");
    {
        // A killed server leaves such a socket behind.
        const FileDescriptor stale(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::copy(path.begin(), path.end(), address.sun_path);
        ASSERT_EQ(::bind(stale.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    }
    ASSERT_TRUE(std::filesystem::exists(path));
    vhost::Listener listener(path, 0600, other_device_, log_.logger());
    std::thread thread([&] { listener.run(); });
    {
        FakeVmm vmm(path);
        EXPECT_EQ(vmm.ask_u64(vhost::Request::kGetQueueNum), TestDevice::kQueues);
    }
    listener.stop();
    thread.join();
}

TEST_F(ListenerTest, AFileThatIsNoSocketIsLeftAlone) {
    const std::string path = folder_.file("precious");
    std::ofstream(path) << "data";
    EXPECT_THAT(
        error_of([&] { vhost::Listener listener(path, 0600, other_device_, log_.logger()); }),
        testing::HasSubstr("is not a socket"));
    EXPECT_EQ(std::filesystem::file_size(path), 4u);
}

TEST_F(ListenerTest, AFolderThatIsNotThereIsNamed) {
    const std::string path = folder_.file("missing/socket");
    EXPECT_THAT(
        error_of([&] { vhost::Listener listener(path, 0600, other_device_, log_.logger()); }),
        testing::AllOf(testing::HasSubstr(path), testing::HasSubstr("No such file")));
}

TEST_F(ListenerTest, APathThatIsTooLongIsRefused) {
    EXPECT_THAT(error_of([&] {
                    vhost::Listener listener(folder_.file(std::string(200, 'x')), 0600,
                                             other_device_, log_.logger());
                }),
                testing::HasSubstr("characters"));
}

TEST_F(ListenerTest, ASocketThatReplacedItsOwnIsLeftAlone) {
    const std::string path = folder_.file("socket");
    auto first = std::make_unique<vhost::Listener>(path, 0600, other_device_, log_.logger());
    std::filesystem::rename(path, folder_.file("moved"));
    vhost::Listener second(path, 0600, other_device_, log_.logger());
    first.reset();
    EXPECT_TRUE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace vrdma::test
