// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vhost/receiver/receiver_loop.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "memory/file_system.h"
#include "socket_files.h"
#include "vhost/protocol/message.h"

namespace vrdma::vhost {
namespace {

// What is there now, at most `buffer`; nothing at the end of the stream, or when descriptors were
// lost.
std::optional<BytesWithFiles> receive(int socket, std::span<std::byte> buffer, int flags) {
    auto received = receive_with_files(socket, buffer, flags);
    if (!received) {
        return received.error() == Errno{EAGAIN} ? std::optional(BytesWithFiles{}) : std::nullopt;
    }
    return received->size > 0 ? std::optional(std::move(*received)) : std::nullopt;
}

bool is_unix_socket(int fd) {
    int domain = 0;
    socklen_t length = sizeof(domain);
    return ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_UNIX;
}

FileDescriptor without_its_file(int fd) {
    return FileDescriptor(::open(fmt::format("/proc/self/fd/{}", fd).c_str(), O_PATH | O_CLOEXEC));
}

}  // namespace

void ReceiverLoop::run() {
    std::vector<pollfd> polled;
    for (;;) {
        polled.assign(1, {.fd = control_, .events = POLLIN, .revents = 0});
        for (const Stream& stream : streams_) {
            polled.push_back({.fd = stream.daemon.get(), .events = 0, .revents = 0});
            polled.push_back({.fd = stream.vmm.get(), .events = POLLIN, .revents = 0});
        }
        if (::poll(polled.data(), polled.size(), -1) < 0) {
            continue;
        }
        auto events = polled.cbegin() + 1;
        for (auto stream = streams_.begin(); stream != streams_.end();) {
            const bool left = (events++)->revents != 0;
            const bool came = (events++)->revents != 0;
            const bool ends = left || (came && !forward(*stream));
            stream = ends ? streams_.erase(stream) : std::next(stream);
        }
        if (polled.front().revents != 0 && !take_stream()) {
            return;
        }
    }
}

bool ReceiverLoop::take_stream() {
    std::byte nothing{};
    auto received = receive(control_, std::span(&nothing, 1), 0);
    if (!received) {
        return false;
    }
    if (received->files.size() == 2) {
        Stream& stream = streams_.emplace_back();
        stream.vmm = std::move(received->files[0]);
        stream.daemon = std::move(received->files[1]);
    }
    return true;
}

// Carries on what one recvmsg() brings, which never reaches into the next message, since
// descriptors have to stay with the bytes that they came with.  False when the stream has ended.
bool ReceiverLoop::forward(Stream& stream) {
    std::array<std::byte, kMaxPayload> buffer;
    const bool in_header = stream.received < sizeof(VuHeader);
    const size_t end = sizeof(VuHeader) + (in_header ? 0 : static_cast<size_t>(stream.header.size));
    const size_t wanted = std::min(end - stream.received, buffer.size());
    auto received = receive(stream.vmm.get(), std::span(buffer).first(wanted), MSG_DONTWAIT);
    if (!received || received->size == 0) {
        return received.has_value();
    }
    const auto bytes = std::span<const std::byte>(buffer).first(received->size);
    if (in_header) {
        std::memcpy(reinterpret_cast<std::byte*>(&stream.header) + stream.received, bytes.data(),
                    bytes.size());
    }
    if (!send(stream, bytes, std::move(received->files))) {
        return false;
    }
    stream.received += bytes.size();
    if (stream.received >= sizeof(VuHeader) &&
        stream.received == sizeof(VuHeader) + stream.header.size) {
        stream.received = 0;
        stream.unsafe.clear();
    }
    return stream.unsafe.size() <= kMostFilesOfMessage;
}

// The daemon may answer a message once it has all bytes.  The descriptors are closed here before,
// but for unsafe ones: once the VMM has the answer, nothing of the VMM's is held for the message.
bool ReceiverLoop::send(Stream& stream, std::span<const std::byte> bytes,
                        std::vector<FileDescriptor> fds) {
    if (!fds.empty()) {
        std::vector<int> sent;
        for (FileDescriptor& fd : fds) {
            if (!closes_at_once(fd.get())) {
                FileDescriptor path = without_its_file(fd.get());
                stream.unsafe.push_back(std::exchange(fd, std::move(path)));
            }
            if (fd) {
                sent.push_back(fd.get());
            }
        }
        if (!send_with_files(stream.daemon.get(), bytes.first(1), sent, 0)) {
            return false;
        }
        fds.clear();
        bytes = bytes.subspan(1);
    }
    return send_with_files(stream.daemon.get(), bytes, {}, 0).has_value();
}

// Whether close() asks nobody and waits for nothing.  To find that out asks nobody either.
bool ReceiverLoop::closes_at_once(int fd) const {
    return memory::seals_of(fd) >= 0 || is_unix_socket(fd) ||
           memory::name_of(fd) == "anon_inode:[eventfd]" ||
           std::ranges::find(file_systems_, memory::file_system_of(fd)) != file_systems_.end();
}

}  // namespace vrdma::vhost
