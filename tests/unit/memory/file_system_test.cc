// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What a descriptor of a VMM's is, found out without a question to the file system.
#include "memory/file_system.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "file_descriptor.h"
#include "support/fuse_server.h"

namespace vrdma::memory {
namespace {

TEST(FileSystemTest, AFileOfFuseIsRecognizedWithoutAQuestionToItsServer) {
    const test::FuseServer server;
    if (!server.mounted()) {
        GTEST_SKIP() << "FUSE cannot be mounted here: " << std::strerror(errno);
    }
    const FileDescriptor file = server.open_file();
    ASSERT_TRUE(file.valid()) << std::strerror(errno);
    const unsigned before = server.questions();
    EXPECT_EQ(seals_of(file.get()), -1);
    EXPECT_FALSE(is_memfd(file.get()));
    EXPECT_EQ(file_system_of(file.get()), "fuse");
    EXPECT_EQ(server.questions(), before);
    // The server is asked by what looks harmless.
    struct stat status {};
    ASSERT_EQ(::fstat(file.get(), &status), 0);
    EXPECT_EQ(server.questions(), before + 1);
}

TEST(FileSystemTest, SealsTellMemoryFilesFromOthers) {
    const FileDescriptor memfd(::memfd_create("a", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    ASSERT_EQ(::fcntl(memfd.get(), F_ADD_SEALS, F_SEAL_SHRINK), 0);
    EXPECT_EQ(seals_of(memfd.get()), F_SEAL_SHRINK);
    EXPECT_TRUE(is_memfd(memfd.get()));
    const FileDescriptor shm(::open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    ASSERT_TRUE(shm.valid());
    EXPECT_EQ(seals_of(shm.get()), F_SEAL_SEAL);
    EXPECT_FALSE(is_memfd(shm.get()));
    EXPECT_EQ(file_system_of(shm.get()), "tmpfs");
    const FileDescriptor proc(::open("/proc/self/status", O_RDONLY | O_CLOEXEC));
    EXPECT_EQ(seals_of(proc.get()), -1);
    EXPECT_EQ(file_system_of(proc.get()), "proc");
}

}  // namespace
}  // namespace vrdma::memory
