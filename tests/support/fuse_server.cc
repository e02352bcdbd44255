// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "support/fuse_server.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

namespace vrdma::test {
namespace {

fuse_attr attributes(uint64_t node) {
    fuse_attr attributes{};
    attributes.ino = node;
    attributes.mode = node == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0644;
    attributes.nlink = 1;
    attributes.size = 4096;
    return attributes;
}

}  // namespace

FuseServer::FuseServer() : device_(::open("/dev/fuse", O_RDWR | O_CLOEXEC)) {
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

FuseServer::~FuseServer() {
    if (mounted_) {
        ::umount2(folder_.c_str(), MNT_FORCE | MNT_DETACH);
        thread_.join();
    }
    std::filesystem::remove_all(folder_);
}

FileDescriptor FuseServer::open_file() const {
    return FileDescriptor(::open((folder_ / "file").c_str(), O_RDWR | O_CLOEXEC));
}

void FuseServer::reply(const fuse_in_header& request, int error, const void* data, size_t size) {
    fuse_out_header header{.len = static_cast<uint32_t>(sizeof(header) + size),
                           .error = error,
                           .unique = request.unique};
    iovec parts[] = {{&header, sizeof(header)}, {const_cast<void*>(data), size}};
    [[maybe_unused]] const ssize_t written = ::writev(device_.get(), parts, 2);
}

// Answers until the file system is unmounted.
void FuseServer::serve() {
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
            case FUSE_FLUSH:
                if (keeps_) {
                    kept_ = true;
                    kept_.notify_all();
                    break;
                }
                [[fallthrough]];
            default:
                reply(request, -ENOSYS, nullptr, 0);
        }
    }
}

}  // namespace vrdma::test
