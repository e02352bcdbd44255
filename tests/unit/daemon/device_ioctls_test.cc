// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/confinement/device_ioctls.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "support/socket_io.h"

namespace vrdma::daemon {
namespace {

// The errno of an ioctl that the device does not know.
int error_of_ioctl(int fd) {
    return ::ioctl(fd, TIOCGWINSZ, nullptr) == 0 ? 0 : errno;
}

FileDescriptor open_device() {
    return FileDescriptor(::open("/dev/null", O_RDWR | O_CLOEXEC));
}

// A taken-over QEMU is a process that was given the file and never gave up anything.
TEST(DeviceIoctlsTest, WhoIsGivenAFileOfTheDaemonHasNoIoctlOnIt) {
    const test::SocketPair sockets = test::make_socket_pair();
    ASSERT_EQ(error_of_ioctl(open_device().get()), ENOTTY);
    const pid_t daemon = ::fork();
    ASSERT_GE(daemon, 0);
    if (daemon == 0) {
        if (!give_up_device_ioctls()) {
            ::_exit(1);
        }
        const FileDescriptor device = open_device();
        const std::array<std::byte, 1> byte{};
        test::send_all(sockets.theirs.get(), byte, std::array{device.get()});
        ::_exit(error_of_ioctl(device.get()) == EACCES ? 0 : 2);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(daemon, &status, 0), daemon);
    ASSERT_TRUE(WIFEXITED(status));
    if (WEXITSTATUS(status) == 1) {
        GTEST_SKIP() << "this kernel has no Landlock of Linux 6.10";
    }
    EXPECT_EQ(WEXITSTATUS(status), 0);
    std::array<std::byte, 1> byte{};
    std::vector<FileDescriptor> files;
    test::receive_all(sockets.ours.get(), byte, &files);
    ASSERT_EQ(files.size(), 1U);
    EXPECT_EQ(error_of_ioctl(files[0].get()), EACCES);
    EXPECT_EQ(error_of_ioctl(open_device().get()), ENOTTY);
}

}  // namespace
}  // namespace vrdma::daemon
