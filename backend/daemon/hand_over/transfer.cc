// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/hand_over/transfer.h"

#include <endian.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>

#include "memory/mapping.h"
#include "socket_files.h"
#include "state/document.h"

namespace vrdma::daemon {
namespace {

// In front of each batch of files; little-endian.  The last one has the document's length, and one
// file with it: the document.
struct Batch {
    uint32_t files;
    uint32_t last;  // 0 or 1
    uint64_t document_length;
};
static_assert(sizeof(Batch) == 16);

// A file in memory with the document.
Result<FileDescriptor> file_of(std::span<const std::byte> document) {
    FileDescriptor file(::memfd_create("vrdma-state", MFD_CLOEXEC));
    if (!file || ::ftruncate(file.get(), static_cast<off_t>(document.size())) != 0) {
        return fail(errno);
    }
    auto mapping = memory::Mapping::map(file.get(), 0, document.size());
    if (!mapping) {
        return fail(mapping.error());
    }
    std::ranges::copy(document, mapping->data());
    return file;
}

Result<std::vector<std::byte>> content_of(const FileDescriptor& file, uint64_t length) {
    if (length == 0 || length > state::kMaxDocument ||
        ::lseek(file.get(), 0, SEEK_END) != static_cast<off_t>(length)) {
        return fail(EPROTO);
    }
    auto mapping = memory::Mapping::map(file.get(), 0, length);
    if (!mapping) {
        return fail(mapping.error());
    }
    return std::vector<std::byte>(mapping->data(), mapping->data() + length);
}

Result<void> send_batch(int socket, std::span<const int> files, uint64_t document_length) {
    const Batch batch{.files = htole32(static_cast<uint32_t>(files.size())),
                      .last = htole32(document_length == 0 ? 0 : 1),
                      .document_length = htole64(document_length)};
    return send_with_files(socket, std::as_bytes(std::span(&batch, 1)), files);
}

}  // namespace

void limit_waits(int socket) {
    const timeval patience{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

Result<void> send_state(int socket, std::span<const std::byte> document,
                        std::span<const int> files) {
    while (!files.empty()) {
        const auto batch = files.first(std::min(files.size(), kMostFilesOfMessage));
        if (auto sent = send_batch(socket, batch, 0); !sent) {
            return sent;
        }
        files = files.subspan(batch.size());
    }
    auto file = file_of(document);
    if (!file) {
        return fail(file.error());
    }
    const int fd = file->get();
    return send_batch(socket, std::span(&fd, 1), document.size());
}

void answer(int socket, Answer answer) {
    // A predecessor that is gone already leaves its guests to whoever has their state.
    ::send(socket, &answer, sizeof(answer), MSG_NOSIGNAL);
}

Result<Answer> wait_for_answer(int socket) {
    Answer answer{};
    const ssize_t got = ::recv(socket, &answer, sizeof(answer), 0);
    if (got < 0) {
        return fail(errno);
    }
    if (got == 0) {
        return fail(EPIPE);
    }
    const bool known = answer == Answer::kTaken || answer == Answer::kLookedAt;
    return known ? Result<Answer>(answer) : fail(EPROTO);
}

Result<ReceivedState> receive_state(int socket) {
    ReceivedState state;
    for (;;) {
        Batch batch{};
        auto received =
            receive_with_files(socket, std::as_writable_bytes(std::span(&batch, 1)), MSG_WAITALL);
        if (!received) {
            return fail(received.error());
        }
        if (received->size != sizeof(batch)) {
            return fail(received->size == 0 ? EPIPE : EPROTO);
        }
        if (received->files.size() != le32toh(batch.files)) {
            return fail(EPROTO);
        }
        if (batch.last == 0) {
            std::ranges::move(received->files, std::back_inserter(state.files));
            continue;
        }
        if (received->files.size() != 1) {
            return fail(EPROTO);
        }
        auto document = content_of(received->files.front(), le64toh(batch.document_length));
        if (!document) {
            return fail(document.error());
        }
        state.document = std::move(*document);
        return state;
    }
}

}  // namespace vrdma::daemon
