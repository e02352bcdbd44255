// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vhost/receiver/receiver.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "forked_process.h"
#include "socket_files.h"
#include "vhost/receiver/receiver_loop.h"

namespace vrdma::vhost {
namespace {

std::pair<FileDescriptor, FileDescriptor> make_pair_of_sockets(int type) {
    std::array<int, 2> fds{};
    if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds.data()) != 0) {
        throw std::system_error(errno, std::generic_category(), "socketpair");
    }
    return {FileDescriptor(fds[0]), FileDescriptor(fds[1])};
}

[[noreturn]] void receive(const FileDescriptor& control, const Receiver::Options& options) {
    try {
        begin_forked_process(control.get(), "vrdma-receiver");
        options.confine();
        // The constructor waits for it.
        const std::byte ready{};
        if (::send(control.get(), &ready, sizeof(ready), MSG_NOSIGNAL) != sizeof(ready)) {
            ::_exit(EXIT_FAILURE);
        }
        ReceiverLoop(control.get(), options.file_systems).run();
    } catch (const std::exception&) {
        ::_exit(EXIT_FAILURE);
    }
    ::_exit(EXIT_SUCCESS);
}

}  // namespace

FileDescriptor Receiver::start(const Options& options) {
    auto [ours, theirs] = make_pair_of_sockets(SOCK_SEQPACKET);
    const pid_t pid = ::fork();
    if (pid < 0) {
        throw std::system_error(errno, std::generic_category(), "fork");
    }
    if (pid == 0) {
        receive(theirs, options);
    }
    theirs.reset();
    std::byte ready{};
    if (::recv(ours.get(), &ready, sizeof(ready), 0) != sizeof(ready)) {
        throw std::system_error(ECHILD, std::generic_category(),
                                "a process that receives from a VMM has ended at its start");
    }
    return std::move(ours);
}

Result<FileDescriptor> Receiver::receive_from(const FileDescriptor& socket) {
    std::array<int, 2> fds{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0) {
        return fail(errno);
    }
    FileDescriptor ours(fds[0]);
    const FileDescriptor theirs(fds[1]);
    const std::array sent{socket.get(), theirs.get()};
    return send_with_files(control_.get(), std::as_bytes(std::span("", 1)), sent, MSG_DONTWAIT)
        .map([&] { return std::move(ours); });
}

}  // namespace vrdma::vhost
