// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/cm_writer/writer_loop.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <system_error>
#include <thread>
#include <utility>

#include "helper_thread.h"
#include "socket_files.h"

namespace vrdma::uverbs {
namespace {

// Puts a number into a command.  False when the command ends before.
template <typename Number>
bool put(std::span<std::byte> command, uint32_t at, Number number) {
    if (command.size() < sizeof(number) || at > command.size() - sizeof(number)) {
        return false;
    }
    std::memcpy(command.data() + at, &number, sizeof(number));
    return true;
}

uint64_t address_of(const std::vector<std::byte>& bytes) {
    return reinterpret_cast<uintptr_t>(bytes.data());
}

}  // namespace

void WriterLoop::run() {
    std::array<std::byte, 1> byte{};
    for (;;) {
        auto received = receive_with_files(control_, byte);
        if (!received && received.error() == Errno{EMFILE}) {
            continue;  // the daemon sees the end of the channel
        }
        if (!received || received->size == 0) {
            break;
        }
        for (FileDescriptor& channel : received->files) {
            serve_in_thread(std::move(channel));
        }
    }
    std::unique_lock lock(mutex_);
    fewer_.wait(lock, [this] { return channels_ == 0; });
}

void WriterLoop::serve_in_thread(FileDescriptor channel) {
    {
        const std::lock_guard lock(mutex_);
        ++channels_;
    }
    const auto ended = [this] {
        const std::lock_guard lock(mutex_);
        --channels_;
        fewer_.notify_all();
    };
    try {
        std::thread([this, ended, fd = std::move(channel)]() mutable {
            begin_helper_thread("vrdma-cm-guest");
            // The files are closed before the channel counts as ended.
            ChannelLoop(std::move(fd), open_).run();
            ended();
        }).detach();
    } catch (const std::system_error&) {
        ended();  // the daemon sees the end of the channel
    }
}

void ChannelLoop::run() {
    std::vector<std::byte> buffer(kMostWriterBytes);
    for (;;) {
        auto received = receive_with_files(channel_.get(), buffer);
        if (!received && received.error() == Errno{EMFILE}) {
            send({.reply = {.error = EMFILE}});
            continue;
        }
        if (!received || received->size == 0) {
            return;
        }
        WriterRequest request;
        if (received->size < sizeof(request)) {
            send({.reply = {.error = EINVAL}});
            continue;
        }
        std::memcpy(&request, buffer.data(), sizeof(request));
        const auto bytes = std::span<const std::byte>(buffer).first(received->size);
        switch (request.kind) {
            case WriterRequestKind::kOpen:
                send(open());
                break;
            case WriterRequestKind::kWrite:
                send(write(request, bytes.subspan(sizeof(request)), received->files));
                break;
            case WriterRequestKind::kClose:
                files_.erase(request.file);
                break;
            default:
                send({.reply = {.error = EOPNOTSUPP}});
                break;
        }
    }
}

ChannelLoop::Answer ChannelLoop::open() {
    auto file = open_();
    if (!file) {
        return {.reply = {.error = to_int(file.error())}};
    }
    const int fd = (*file)->fd();
    const uint32_t number = next_number_++;
    files_.insert_or_assign(number, std::move(*file));
    return {.reply = {.file = number}, .file = fd};
}

ChannelLoop::Answer ChannelLoop::write(const WriterRequest& request,
                                       std::span<const std::byte> bytes,
                                       const std::vector<FileDescriptor>& files) {
    const auto file = files_.find(request.file);
    if (file == files_.end()) {
        return {.reply = {.error = EBADF}};
    }
    if (bytes.size() != uint64_t{request.command} + request.value ||
        request.response > kMostWriterBytes - sizeof(WriterReply)) {
        return {.reply = {.error = EINVAL}};
    }
    std::vector<std::byte> command(bytes.begin(), bytes.begin() + request.command);
    const std::vector<std::byte> value(bytes.begin() + request.command, bytes.end());
    std::vector<std::byte> response(request.response);
    if ((!value.empty() && !put(command, request.value_at, address_of(value))) ||
        (!response.empty() && !put(command, request.response_at, address_of(response))) ||
        (!files.empty() && !put(command, request.other_at, files.front().get()))) {
        return {.reply = {.error = EINVAL}};
    }
    const auto written = file->second->execute(command);
    if (!written) {
        return {.reply = {.error = to_int(written.error())}};
    }
    return {.response = std::move(response)};
}

void ChannelLoop::send(const Answer& answer) const {
    std::vector<std::byte> bytes(sizeof(answer.reply) + answer.response.size());
    std::memcpy(bytes.data(), &answer.reply, sizeof(answer.reply));
    std::copy(answer.response.begin(), answer.response.end(), bytes.begin() + sizeof(answer.reply));
    const std::array file{answer.file};
    // When the daemon is gone the next request does not come.
    (void)send_with_files(channel_.get(), bytes,
                          answer.file < 0 ? std::span<const int>() : std::span<const int>(file));
}

}  // namespace vrdma::uverbs
