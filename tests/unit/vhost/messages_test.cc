// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Every message, and bytes that are no proper message.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <filesystem>

#include "test_server.h"

namespace vrdma::test {
namespace {

using vhost::bit;
using vhost::ProtocolFeature;
using vhost::Request;

template <typename T>
std::span<const std::byte> bytes_of(const T& value) {
    return std::as_bytes(std::span(&value, 1));
}

class MessagesTest : public ServerTest {
  protected:
    MessagesTest() { features_ = vmm_.negotiate(); }

    // The server closes this connection, says why, and serves the next one.
    void expect_closed(const std::string& why) {
        vmm_.wait_disconnected();
        EXPECT_EQ(server_.log().count(why), 1u) << why;
        device_.wait("the end", [](const auto& state) { return state.disconnected == 1; });
        FakeVmm next(server_.path());
        EXPECT_NE(next.negotiate(), 0u);
    }

    FakeVmm vmm_{server_.path()};
    uint64_t features_ = 0;
    FakeMemory memory_;
};

TEST_F(MessagesTest, GetFeaturesOffersTheTransportsAndTheDevices) {
    EXPECT_EQ(vmm_.ask_u64(Request::kGetFeatures),
              bit(VIRTIO_F_VERSION_1) | bit(VIRTIO_RING_F_INDIRECT_DESC) |
                  bit(VIRTIO_RING_F_EVENT_IDX) | bit(VIRTIO_F_RING_PACKED) |
                  bit(vhost::kFeatureProtocolFeatures) | TestDevice::kFeatures);
}

TEST_F(MessagesTest, SetFeaturesReachesTheDevice) {
    const uint64_t features = bit(VIRTIO_F_VERSION_1) | 0x4;
    EXPECT_TRUE(vmm_.acknowledged(Request::kSetFeatures, bytes_of(features)));
    EXPECT_EQ(device_.state().features, features);
}

TEST_F(MessagesTest, SetFeaturesThatWereNotOfferedIsRefused) {
    const uint64_t features = bit(VIRTIO_F_VERSION_1) | 0x2;
    EXPECT_FALSE(vmm_.acknowledged(Request::kSetFeatures, bytes_of(features)));
    EXPECT_EQ(device_.state().features, features_);
}

TEST_F(MessagesTest, GetProtocolFeaturesOffersThoseThatWork) {
    EXPECT_EQ(vmm_.ask_u64(Request::kGetProtocolFeatures),
              bit(ProtocolFeature::kMq) | bit(ProtocolFeature::kReplyAck) |
                  bit(ProtocolFeature::kBackendReq) | bit(ProtocolFeature::kConfig) |
                  bit(ProtocolFeature::kBackendSendFd) | bit(ProtocolFeature::kResetDevice) |
                  bit(ProtocolFeature::kConfigureMemSlots));
}

TEST_F(MessagesTest, SetProtocolFeaturesThatWereNotOfferedIsRefused) {
    const uint64_t features = bit(ProtocolFeature::kReplyAck) | bit(16);
    EXPECT_FALSE(vmm_.acknowledged(Request::kSetProtocolFeatures, bytes_of(features)));
}

TEST_F(MessagesTest, WithoutReplyAckNothingIsAcknowledged) {
    FakeVmm& vmm = vmm_;
    const uint64_t none = 0;
    vmm.send(Request::kSetProtocolFeatures, bytes_of(none));
    vmm.send(Request::kSetOwner, {}, {}, vhost::kVersion | vhost::kFlagNeedReply);
    // The next answer is that to the next question.
    EXPECT_EQ(vmm.ask_u64(Request::kGetQueueNum), TestDevice::kQueues);
}

TEST_F(MessagesTest, GetQueueNumIsTheDevices) {
    EXPECT_EQ(vmm_.ask_u64(Request::kGetQueueNum), TestDevice::kQueues);
}

TEST_F(MessagesTest, SetOwnerIsAcknowledged) {
    EXPECT_TRUE(vmm_.acknowledged(Request::kSetOwner));
}

TEST_F(MessagesTest, GetMaxMemSlotsIsMoreThanATableCanHave) {
    EXPECT_GT(vmm_.ask_u64(Request::kGetMaxMemSlots), vhost::kMaxTableRegions);
}

TEST_F(MessagesTest, GetConfigReadsTheDevices) {
    const std::vector<std::byte> bytes = {std::byte{1}, std::byte{2}, std::byte{3}};
    ASSERT_TRUE(device_.write_config(8, bytes));
    EXPECT_EQ(vmm_.get_config(8, 3), bytes);
}

TEST_F(MessagesTest, GetConfigOutsideTheSpaceIsAnsweredWithoutPayload) {
    EXPECT_THAT(vmm_.get_config(TestDevice::kConfigSize - 1, 2), testing::IsEmpty());
    EXPECT_THAT(vmm_.get_config(UINT32_MAX, 2), testing::IsEmpty());
}

TEST_F(MessagesTest, SetConfigWritesTheDevices) {
    const std::vector<std::byte> bytes = {std::byte{7}, std::byte{8}};
    EXPECT_TRUE(vmm_.set_config(62, bytes));
    EXPECT_EQ(device_.state().config[62], std::byte{7});
    EXPECT_EQ(device_.state().config[63], std::byte{8});
    EXPECT_FALSE(vmm_.set_config(63, bytes));
}

TEST_F(MessagesTest, ResetDeviceReachesTheDeviceAndKeepsTheConnection) {
    EXPECT_TRUE(vmm_.acknowledged(Request::kResetDevice));
    EXPECT_EQ(device_.state().resets, 1u);
    EXPECT_EQ(device_.state().disconnected, 0u);
}

TEST_F(MessagesTest, AnUnknownMessageIsRefusedAndTheConnectionGoesOn) {
    const uint64_t payload[3] = {1, 2, 3};
    const int fd = 0;
    EXPECT_FALSE(vmm_.acknowledged(static_cast<Request>(99), bytes_of(payload), std::span(&fd, 1)));
    EXPECT_EQ(server_.log().count("message 99 is unknown"), 1u);
    EXPECT_TRUE(vmm_.acknowledged(Request::kSetOwner));
}

TEST_F(MessagesTest, AMessageInSmallPiecesIsPutTogether) {
    const vhost::VuHeader header{static_cast<uint32_t>(Request::kSetFeatures), vhost::kVersion, 8};
    const uint64_t features = features_ & ~uint64_t{1};
    std::vector<std::byte> bytes(20);
    std::memcpy(bytes.data(), &header, 12);
    std::memcpy(bytes.data() + 12, &features, 8);
    for (const std::byte& byte : bytes) {
        vmm_.send_raw(std::span(&byte, 1));
    }
    EXPECT_TRUE(vmm_.acknowledged(Request::kSetOwner));
    EXPECT_EQ(device_.state().features, features);
}

TEST_F(MessagesTest, AWrongVersionEndsTheConnection) {
    vmm_.send(Request::kSetOwner, {}, {}, 2);
    expect_closed("message 3 has protocol version 2");
}

TEST_F(MessagesTest, AReplyEndsTheConnection) {
    vmm_.send(Request::kSetOwner, {}, {}, vhost::kVersion | vhost::kFlagReply);
    expect_closed("message 3 claims to be a reply");
}

TEST_F(MessagesTest, AnOversizedMessageEndsTheConnection) {
    const vhost::VuHeader header{static_cast<uint32_t>(Request::kSetMemTable), vhost::kVersion,
                                 UINT32_MAX};
    vmm_.send_raw(bytes_of(header));
    expect_closed("message 5 has 4294967295 bytes");
}

TEST_F(MessagesTest, APayloadOfTheWrongSizeEndsTheConnection) {
    const uint32_t half = 0;
    vmm_.send(Request::kSetFeatures, bytes_of(half));
    expect_closed("SET_FEATURES has 4 bytes");
}

TEST_F(MessagesTest, DescriptorsWhereNoneBelongEndTheConnection) {
    const int fd = 0;
    vmm_.send(Request::kSetOwner, {}, std::span(&fd, 1));
    expect_closed("SET_OWNER has 1 descriptors");
}

TEST_F(MessagesTest, AMissingDescriptorEndsTheConnection) {
    const vhost::VuSingleRegion region{};
    vmm_.send(Request::kAddMemReg, bytes_of(region));
    expect_closed("ADD_MEM_REG has 0 descriptors");
}

TEST_F(MessagesTest, MoreDescriptorsThanAnyMessageHasEndTheConnection) {
    const std::vector<int> fds(16, 0);
    vmm_.send(Request::kSetMemTable, bytes_of(uint64_t{0}), fds);
    expect_closed("more descriptors than any can have");
}

TEST_F(MessagesTest, ATableWithAnotherNumberOfDescriptorsEndsTheConnection) {
    vhost::VuMemoryTable table{};
    table.region_count = 2;
    const int fd = memory_.regions()[0]->file.get();
    vmm_.send(Request::kSetMemTable, bytes_of(table), std::span(&fd, 1));
    expect_closed("a table of 2 regions");
}

TEST_F(MessagesTest, ATableShorterThanItsRegionsEndsTheConnection) {
    const uint64_t count = 1;
    const int fd = memory_.regions()[0]->file.get();
    vmm_.send(Request::kSetMemTable, bytes_of(count), std::span(&fd, 1));
    expect_closed("a table of 1 regions");
}

TEST_F(MessagesTest, ATableOfTooManyRegionsEndsTheConnection) {
    const uint64_t count = UINT32_MAX;
    vmm_.send(Request::kSetMemTable, bytes_of(count));
    expect_closed("a table of 4294967295 regions");
}

TEST_F(MessagesTest, AConfigurationOfAnotherSizeEndsTheConnection) {
    const vhost::VuConfigHeader header{0, 100, 0};
    vmm_.send(Request::kGetConfig, bytes_of(header));
    expect_closed("GET_CONFIG");
}

TEST_F(MessagesTest, AKickWithoutTheDescriptorThatItAnnouncesEndsTheConnection) {
    const uint64_t index = 0;
    vmm_.send(Request::kSetVringKick, bytes_of(index));
    expect_closed("0 descriptors where one was announced");
}

TEST_F(MessagesTest, AnEndInTheMiddleOfAMessageIsLogged) {
    const vhost::VuHeader header{static_cast<uint32_t>(Request::kSetFeatures), vhost::kVersion, 8};
    {
        FakeVmm leaving = std::move(vmm_);
        leaving.send_raw(bytes_of(header).first(7));
    }
    device_.wait("the end", [](const auto& state) { return state.disconnected == 1; });
    EXPECT_EQ(server_.log().count("the stream ended 7 bytes into a message"), 1u);
}

TEST_F(MessagesTest, GetVringBaseOfAQueueThatIsNotThereEndsTheConnection) {
    const vhost_vring_state state{TestDevice::kQueues, 0};
    vmm_.send(Request::kGetVringBase, bytes_of(state));
    expect_closed("there is no queue 3");
}

TEST_F(MessagesTest, QueuesThatAreNotThereAreRefused) {
    const uint32_t none = TestDevice::kQueues;
    const FileDescriptor event(::eventfd(0, EFD_CLOEXEC));
    EXPECT_FALSE(vmm_.set_vring(Request::kSetVringNum, none, 16));
    EXPECT_FALSE(vmm_.set_vring(Request::kSetVringBase, none, 0));
    EXPECT_FALSE(vmm_.set_vring(Request::kSetVringNum, UINT32_MAX, 16));
    EXPECT_FALSE(vmm_.set_addresses(none, {}));
    EXPECT_FALSE(vmm_.enable_queue(none, true));
    for (auto request : {Request::kSetVringKick, Request::kSetVringCall, Request::kSetVringErr}) {
        EXPECT_FALSE(vmm_.set_vring_fd(request, none, event.get()));
    }
}

TEST_F(MessagesTest, AQueueCannotStartBeforeItIsDescribed) {
    const FileDescriptor event(::eventfd(0, EFD_CLOEXEC));
    EXPECT_FALSE(vmm_.set_vring_fd(Request::kSetVringKick, 0, event.get()));
    EXPECT_TRUE(vmm_.set_vring(Request::kSetVringNum, 0, 16));
    EXPECT_FALSE(vmm_.set_vring_fd(Request::kSetVringKick, 0, event.get()));
}

TEST_F(MessagesTest, AQueueOfImpossibleSizeIsRefused) {
    EXPECT_FALSE(vmm_.set_vring(Request::kSetVringNum, 0, 0));
    EXPECT_FALSE(vmm_.set_vring(Request::kSetVringNum, 0, 1 << 16));
}

TEST_F(MessagesTest, AQueueThatWouldHaveToBePolledIsRefused) {
    EXPECT_FALSE(vmm_.set_vring_fd(Request::kSetVringKick, 0, -1));
}

TEST_F(MessagesTest, ADescriptorThatCannotBeWaitedOnIsRefused) {
    EXPECT_FALSE(vmm_.set_vring_fd(Request::kSetVringKick, 0, memory_.regions()[0]->file.get()));
}

// A pipe whose other end is closed would be readable for ever.
TEST_F(MessagesTest, ADescriptorThatIsNoEventfdIsRefused) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const FileDescriptor reader(ends[0]);
    const FileDescriptor writer(ends[1]);
    const FileDescriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
    const FileDescriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    for (const auto* fd : {&reader, &writer, &epoll, &null}) {
        EXPECT_FALSE(vmm_.set_vring_fd(Request::kSetVringKick, 0, fd->get()));
        EXPECT_FALSE(vmm_.set_vring_fd(Request::kSetVringCall, 0, fd->get()));
    }
    const FileDescriptor event(::eventfd(3, EFD_CLOEXEC));
    EXPECT_TRUE(vmm_.set_vring_fd(Request::kSetVringCall, 0, event.get()));
    eventfd_t count = 0;
    ASSERT_EQ(::eventfd_read(event.get(), &count), 0);
    EXPECT_EQ(count, 3U) << "an eventfd keeps its count";
}

TEST_F(MessagesTest, CallAndErrorMayBeTakenAway) {
    EXPECT_TRUE(vmm_.set_vring_fd(Request::kSetVringCall, 0, -1));
    EXPECT_TRUE(vmm_.set_vring_fd(Request::kSetVringErr, 0, -1));
}

TEST_F(MessagesTest, LoggingIsRefused) {
    vhost_vring_addr address{};
    address.flags = 1 << VHOST_VRING_F_LOG;
    EXPECT_FALSE(vmm_.acknowledged(Request::kSetVringAddr, bytes_of(address)));
}

TEST_F(MessagesTest, EnableTakesOnlyZeroAndOne) {
    EXPECT_FALSE(vmm_.set_vring(Request::kSetVringEnable, 0, 2));
}

TEST_F(MessagesTest, DescriptorsAreClosedHoweverAMessageEnds) {
    const auto open_descriptors = [] {
        size_t count = 0;
        for ([[maybe_unused]] const auto& entry :
             std::filesystem::directory_iterator("/proc/self/fd")) {
            ++count;
        }
        return count;
    };
    const FileDescriptor event(::eventfd(0, EFD_CLOEXEC));
    const size_t before = open_descriptors();
    const int fd = event.get();
    const std::span fds(&fd, 1);
    EXPECT_FALSE(vmm_.acknowledged(static_cast<Request>(99), {}, fds));
    EXPECT_FALSE(vmm_.set_vring_fd(Request::kSetVringKick, 0, fd));
    EXPECT_FALSE(vmm_.set_vring_fd(Request::kSetVringCall, 77, fd));
    EXPECT_FALSE(vmm_.acknowledged(Request::kSetBackendReqFd, {}, fds));
    EXPECT_FALSE(vmm_.acknowledged(Request::kAddMemReg, bytes_of(vhost::VuSingleRegion{}), fds));
    EXPECT_FALSE(vmm_.acknowledged(Request::kRemMemReg, bytes_of(vhost::VuSingleRegion{}), fds));
    EXPECT_EQ(open_descriptors(), before);
    vmm_.send(Request::kSetOwner, {}, fds);
    vmm_.wait_disconnected();
    FakeVmm next(server_.path());
    next.negotiate();
    EXPECT_TRUE(next.acknowledged(Request::kSetOwner));
    EXPECT_EQ(open_descriptors(), before + 1);  // our end of the connection that was closed
}

}  // namespace
}  // namespace vrdma::test
