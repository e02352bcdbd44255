// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/kernel/removal_watch.h"

#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <fstream>

#include "unit/uverbs/fakes/fake_sysfs.h"

namespace vrdma::uverbs {
namespace {

// A message as the kernel sends it: a line, then properties, each with a zero behind it.
std::string uevent(const std::vector<std::string>& parts) {
    std::string message;
    for (const auto& part : parts) {
        message += part;
        message.push_back('\0');
    }
    return message;
}

const std::string kRemoval =
    uevent({"remove@/devices/virtual/infiniband_verbs/uverbs0", "ACTION=remove",
            "DEVPATH=/devices/virtual/infiniband_verbs/uverbs0", "SUBSYSTEM=infiniband_verbs",
            "MAJOR=231", "MINOR=192", "DEVNAME=infiniband/uverbs0", "DEVMODE=0666", "SEQNUM=3021"});

std::string with(std::string message, const std::string& old, const std::string& now) {
    message.replace(message.find(old), old.size(), now);
    return message;
}

TEST(RemovalMessageTest, TellsWhichDeviceIsRemoved) {
    EXPECT_TRUE(RemovalWatch::tells_removal(kRemoval, "uverbs0"));
    EXPECT_FALSE(RemovalWatch::tells_removal(kRemoval, "uverbs1"));
    EXPECT_FALSE(RemovalWatch::tells_removal(kRemoval, "uverbs"));
    EXPECT_FALSE(RemovalWatch::tells_removal(kRemoval, "s0"));
}

TEST(RemovalMessageTest, OtherActionsAreNoRemoval) {
    EXPECT_FALSE(
        RemovalWatch::tells_removal(with(kRemoval, "ACTION=remove", "ACTION=change"), "uverbs0"));
}

TEST(RemovalMessageTest, DevicesOfOtherSubsystemsAreNotMeant) {
    EXPECT_FALSE(RemovalWatch::tells_removal(
        with(kRemoval, "SUBSYSTEM=infiniband_verbs", "SUBSYSTEM=net"), "uverbs0"));
}

TEST(RemovalMessageTest, AnEventThatWasMadeByHandIsNoRemoval) {
    EXPECT_FALSE(RemovalWatch::tells_removal(kRemoval + uevent({"SYNTH_UUID=0"}), "uverbs0"));
}

TEST(RemovalMessageTest, WhatIsNoMessageIsNoRemoval) {
    for (const std::string& message : {std::string(), std::string("remove"), std::string(3, '\0'),
                                       std::string("ACTION="), kRemoval.substr(0, 60)}) {
        EXPECT_FALSE(RemovalWatch::tells_removal(message, "uverbs0"));
    }
}

class RemovalWatchTest : public testing::Test {
  protected:
    RemovalWatchTest() { sysfs_.add_uverbs("uverbs0", "rxe0", "2"); }

    void remove_device() const {
        std::filesystem::remove_all(sysfs_.sysfs() / "class/infiniband_verbs/uverbs0");
    }

    FakeSysfs sysfs_;
};

TEST_F(RemovalWatchTest, ADeviceThatIsThereIsNotRemoved) {
    RemovalWatch watch("uverbs0", sysfs_.sysfs());
    EXPECT_FALSE(watch.removed());
    EXPECT_FALSE(watch.removed());
}

TEST_F(RemovalWatchTest, ADeviceThatIsGoneBeforeTheWatchIsRemoved) {
    remove_device();
    RemovalWatch watch("uverbs0", sysfs_.sysfs());
    EXPECT_TRUE(watch.removed());
}

// The port id that the kernel gave to the watch's socket.
sockaddr_nl address_of(int fd) {
    sockaddr_nl address{};
    socklen_t size = sizeof(address);
    EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
    return address;
}

TEST_F(RemovalWatchTest, AProcessIsNotBelieved) {
    RemovalWatch watch("uverbs0", sysfs_.sysfs());
    const FileDescriptor liar(
        ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT));
    sockaddr_nl address = address_of(watch.fd());
    address.nl_groups = 0;
    ASSERT_EQ(::sendto(liar.get(), kRemoval.data(), kRemoval.size(), 0,
                       reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              static_cast<ssize_t>(kRemoval.size()));
    pollfd readable{watch.fd(), POLLIN, 0};
    ASSERT_EQ(::poll(&readable, 1, -1), 1) << "the message has arrived";
    EXPECT_FALSE(watch.removed());
    EXPECT_EQ(::poll(&readable, 1, 0), 0) << "and has been read";
}

TEST_F(RemovalWatchTest, HearsTheKernel) {
    RemovalWatch watch("uverbs0", sysfs_.sysfs());
    // An event of another device, which the kernel sends for a write to this file.
    std::ofstream uevent_file("/sys/class/mem/null/uevent");
    uevent_file << "change" << std::flush;
    if (!uevent_file) GTEST_SKIP() << "/sys is not writable here";
    pollfd readable{watch.fd(), POLLIN, 0};
    EXPECT_EQ(::poll(&readable, 1, -1), 1);
    EXPECT_FALSE(watch.removed());
}

TEST_F(RemovalWatchTest, LooksForItselfWhenMessagesWereLost) {
    RemovalWatch watch("uverbs0", sysfs_.sysfs());
    std::ofstream uevent_file("/sys/class/mem/null/uevent");
    // These are more messages than the socket holds.
    const int small = 1;
    ASSERT_EQ(::setsockopt(watch.fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    for (int i = 0; i < 200 && uevent_file; ++i) {
        uevent_file << "change" << std::flush;
    }
    if (!uevent_file) GTEST_SKIP() << "/sys is not writable here";
    remove_device();
    EXPECT_TRUE(watch.removed());
}

}  // namespace
}  // namespace vrdma::uverbs
