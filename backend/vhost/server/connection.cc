// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vhost/server/connection.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <exception>
#include <stdexcept>
#include <utility>

#include "state/vmm.pb.h"

#include "vhost/server/message_table.h"

namespace vrdma::vhost {
namespace {

// Messages handled before the loop looks at its other descriptors again.
constexpr int kMaxBatch = 64;

}  // namespace

Connection::Connection(FileDescriptor socket, FileDescriptor received, Device& device,
                       EventLoop& loop, EventfdSignaller& signaller, const Machine& machine,
                       std::function<void()> closed)
    : socket_{std::move(socket)},
      received_(std::move(received)),
      loop_(loop),
      logger_(machine.logger),
      closed_(std::move(closed)),
      session_(device, loop, signaller, machine) {
    watch();
}

Connection::Connection(FileDescriptor socket, FileDescriptor received, Device& device,
                       EventLoop& loop, EventfdSignaller& signaller, const Machine& machine,
                       std::function<void()> closed, const state::VmmConnection& vmm,
                       const state::Device& saved, state::ReceivedFiles& files)
    : socket_{std::move(socket)},
      received_(std::move(received)),
      loop_(loop),
      logger_(machine.logger),
      closed_(std::move(closed)),
      session_(device, loop, signaller, machine, VmmSession::Begun::kElsewhere) {
    if (auto restored = session_.restore(vmm, saved, files); !restored) {
        throw std::runtime_error(fmt::format("what the guest had cannot be taken over: {}",
                                             to_string(restored.error())));
    }
    watch();
}

void Connection::watch() {
    reading_ = true;
    loop_.add(source(), EPOLLIN, [this](uint32_t) { receive(); });
    loop_.add(session_.faults().fd(), EPOLLIN, [this](uint32_t) { memory_failed(); });
}

Connection::~Connection() {
    loop_.remove(session_.faults().fd());
    loop_.remove(source());
}

void Connection::suspend(std::function<void()> suspended) {
    suspended_ = std::move(suspended);
    session_.when_answered([this] { look_whether_suspended(); });
    session_.suspend();
    look_whether_suspended();
}

// The rest of a message that has come in part is still read.
void Connection::look_whether_suspended() {
    if (suspended_ == nullptr || !reader_.is_between_messages()) {
        return;
    }
    if (std::exchange(reading_, false)) {
        loop_.remove(source());
    }
    if (!session_.has_outstanding()) {
        session_.when_answered(nullptr);
        std::exchange(suspended_, nullptr)();
    }
}

void Connection::resume() {
    suspended_ = nullptr;
    session_.when_answered(nullptr);
    session_.resume();
    if (!std::exchange(reading_, true)) {
        loop_.add(source(), EPOLLIN, [this](uint32_t) { receive(); });
    }
}

Result<void> Connection::save(state::VmmConnection& vmm, state::Device& device,
                              state::FilesToSend& files) {
    vmm.set_socket_file(files.add(socket_.fd.get()));
    vmm.set_received_file(files.add(received_.get()));
    return session_.save(vmm, device, files);
}

bool Connection::vmm_has_left() const {
    pollfd socket{.fd = socket_.fd.get(), .events = POLLRDHUP, .revents = 0};
    return ::poll(&socket, 1, 0) == 1;
}

// A thread that has touched guest memory has found none, and went on with zeros.
void Connection::memory_failed() {
    logger_->error("closing the connection: {}", session_.explain_fault());
    leave();
}

void Connection::receive() {
    for (int count = 0; count < kMaxBatch; ++count) {
        switch (reader_.read(source())) {
            case MessageReader::Status::kAgain:
                return;
            case MessageReader::Status::kClosed:
                logger_->info("the VMM has disconnected");
                return leave();
            case MessageReader::Status::kMalformed:
                logger_->error("closing the connection: {}", reader_.error());
                return leave();
            case MessageReader::Status::kComplete:
                break;
        }
        bool go_on = false;
        try {
            go_on = handle(reader_.message());
        } catch (const std::exception& error) {
            logger_->error("closing the connection: {}", error.what());
        }
        if (!go_on) {
            return leave();
        }
        reader_.next();
        if (suspended_ != nullptr) {
            return look_whether_suspended();
        }
    }
}

// Destroys this object.
void Connection::leave() {
    const auto closed = closed_;
    closed();
}

// False when the connection has to end, which has been logged.
bool Connection::handle(Message& message) {
    const MessageType* type = find_message_type(message.header.request);
    if (type == nullptr) {
        logger_->warn("message {} is unknown", message.header.request);
    } else if (message.header.size < type->min_size || message.header.size > type->max_size) {
        logger_->error("closing the connection: {} has {} bytes", type->name, message.header.size);
        return false;
    } else if (message.fds.size() < type->min_fds || message.fds.size() > type->max_fds) {
        logger_->error("closing the connection: {} has {} descriptors", type->name,
                       message.fds.size());
        return false;
    }
    Outcome outcome =
        type != nullptr ? (session_.*type->handle)(message) : Outcome(refuse("unknown"));
    // The descriptors are closed before the answer: once the VMM has been told that a message is
    // done, nothing of the VMM's is held for it any more.
    message.fds.clear();
    if (outcome && !outcome->empty()) {
        return reply(message, *outcome);
    }
    if (!outcome && outcome.error().answer == Refusal::Answer::kClose) {
        logger_->error("closing the connection: {}: {}", type->name, outcome.error().what);
        return false;
    }
    if (!outcome && type != nullptr) {
        logger_->warn("{} refused: {}", type->name, outcome.error().what);
        if (outcome.error().answer == Refusal::Answer::kEmpty) {
            return reply(message, {});
        }
    }
    if (message.need_reply() && session_.reply_ack()) {
        const uint64_t failed = outcome ? 0 : 1;
        return reply(message, std::as_bytes(std::span(&failed, 1)));
    }
    return true;
}

bool Connection::reply(const Message& message, std::span<const std::byte> payload) {
    VuHeader header{message.header.request, kVersion | kFlagReply,
                    static_cast<uint32_t>(payload.size())};
    iovec parts[] = {{&header, sizeof(header)},
                     {const_cast<std::byte*>(payload.data()), payload.size()}};
    msghdr reply{};
    reply.msg_iov = parts;
    reply.msg_iovlen = 2;
    const ssize_t sent = ::sendmsg(socket_.fd.get(), &reply, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(sizeof(header) + payload.size())) {
        logger_->error("closing the connection: the VMM does not take the reply to message {}",
                       header.request);
        return false;
    }
    return true;
}

}  // namespace vrdma::vhost
