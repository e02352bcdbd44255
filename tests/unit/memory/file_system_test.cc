// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What a descriptor of a VMM's is, found out without a question to the file system.
#include "memory/file_system.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fuse.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>

#include "file_descriptor.h"

namespace vrdma::memory {
namespace {

// A file system with one file, whose program counts what it is asked.
class FuseServer {
  public:
    FuseServer() : device_(::open("/dev/fuse", O_RDWR | O_CLOEXEC)) {
        char pattern[] = "/tmp/vrdma-fuse-test-XXXXXX";
        folder_ = ::mkdtemp(pattern);
        const std::string options =
            "fd=" + std::to_string(device_.get()) + ",rootmode=40000,user_id=0,group_id=0";
        mounted_ = device_.valid() && ::mount("vrdma-test", folder_.c_str(), "fuse",
                                              MS_NOSUID | MS_NODEV, options.c_str()) == 0;
        if (mounted_) {
            thread_ = std::thread([this] { serve(); });
        }
    }
    ~FuseServer() {
        if (mounted_) {
            ::umount2(folder_.c_str(), MNT_FORCE | MNT_DETACH);
            thread_.join();
        }
        std::filesystem::remove_all(folder_);
    }
    FuseServer(const FuseServer&) = delete;
    FuseServer& operator=(const FuseServer&) = delete;

    bool mounted() const { return mounted_; }
    FileDescriptor open_file() const {
        return FileDescriptor(::open((folder_ / "file").c_str(), O_RDWR | O_CLOEXEC));
    }
    unsigned questions() const { return questions_; }

  private:
    static fuse_attr attributes(uint64_t node) {
        fuse_attr attributes{};
        attributes.ino = node;
        attributes.mode = node == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0644;
        attributes.nlink = 1;
        attributes.size = 4096;
        return attributes;
    }

    template <typename Answer>
    void answer(const fuse_in_header& request, Answer answer) {
        reply(request, 0, &answer, sizeof(answer));
    }
    void reply(const fuse_in_header& request, int error, const void* data, size_t size) {
        fuse_out_header header{.len = static_cast<uint32_t>(sizeof(header) + size),
                               .error = error,
                               .unique = request.unique};
        iovec parts[] = {{&header, sizeof(header)}, {const_cast<void*>(data), size}};
        [[maybe_unused]] const ssize_t written = ::writev(device_.get(), parts, 2);
    }

    // Answers until the file system is unmounted.
    void serve() {
        alignas(8) std::array<std::byte, FUSE_MIN_READ_BUFFER> buffer;
        while (::read(device_.get(), buffer.data(), buffer.size()) > 0) {
            fuse_in_header request;
            std::memcpy(&request, buffer.data(), sizeof(request));
            ++questions_;
            switch (request.opcode) {
                case FUSE_INIT: {
                    fuse_init_out init{};
                    init.major = FUSE_KERNEL_VERSION;
                    init.minor = FUSE_KERNEL_MINOR_VERSION;
                    init.max_write = 4096;
                    answer(request, init);
                    break;
                }
                case FUSE_LOOKUP: {
                    fuse_entry_out entry{};
                    entry.nodeid = 2;
                    entry.attr = attributes(2);
                    answer(request, entry);
                    break;
                }
                case FUSE_GETATTR: {
                    fuse_attr_out out{};
                    out.attr = attributes(request.nodeid);
                    answer(request, out);
                    break;
                }
                case FUSE_OPEN:
                    answer(request, fuse_open_out{});
                    break;
                case FUSE_FORGET:
                    break;  // has no answer
                default:
                    reply(request, -ENOSYS, nullptr, 0);
            }
        }
    }

    FileDescriptor device_;
    std::filesystem::path folder_;
    bool mounted_ = false;
    std::atomic<unsigned> questions_ = 0;
    std::thread thread_;
};

TEST(FileSystemTest, AFileOfFuseIsRecognizedWithoutAQuestionToItsServer) {
    const FuseServer server;
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
