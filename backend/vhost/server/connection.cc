// SPDX-License-Identifier: Apache-2.0
#include "vhost/server/connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <exception>
#include <utility>

#include "vhost/server/message_handlers.h"

namespace vrdma::vhost {
namespace {

// Messages handled before the loop looks at its other descriptors again.
constexpr int kMaxBatch = 64;

}  // namespace

Connection::Connection(FileDescriptor socket, Device& device, EventLoop& loop,
                       std::shared_ptr<spdlog::logger> logger, std::function<void()> closed)
    : socket_(std::move(socket)),
      device_(device),
      loop_(loop),
      logger_(std::move(logger)),
      closed_(std::move(closed)),
      memory_(std::make_shared<const memory::GuestMemory>()) {
    for (uint16_t index = 0; index < device_.queue_count(); ++index) {
        queues_.push_back(std::make_unique<QueueState>(index, device_, logger_));
    }
    loop_.add(socket_.get(), EPOLLIN, [this](uint32_t) { receive(); });
    device_.connected();
}

Connection::~Connection() {
    loop_.remove(socket_.get());
    queues_.clear();
    drop_backend_requests();
    device_.disconnected();
}

void Connection::receive() {
    for (int count = 0; count < kMaxBatch; ++count) {
        switch (reader_.read(socket_.get())) {
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
        type != nullptr ? type->handle(*this, message) : tl::unexpected(Refusal{"unknown"});
    // Before the answer: what the VMM has been told is over holds nothing of its any more.
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
    if (message.need_reply() && (protocol_features_ & bit(ProtocolFeature::kReplyAck)) != 0) {
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
    const ssize_t sent = ::sendmsg(socket_.get(), &reply, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(sizeof(header) + payload.size())) {
        logger_->error("closing the connection: the VMM does not take the reply to message {}",
                       header.request);
        return false;
    }
    return true;
}

void Connection::set_memory(memory::GuestMemory memory) {
    memory_ = std::make_shared<const memory::GuestMemory>(std::move(memory));
    device_.memory_changed(memory_);
    for (auto& queue : queues_) {
        queue->change_memory(memory_);
    }
}

Result<void> Connection::set_backend_requests(FileDescriptor socket) {
    int type = 0;
    socklen_t length = sizeof(type);
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &length) != 0) {
        return fail(errno);
    }
    if (type != SOCK_STREAM) {
        return fail(EPROTOTYPE);
    }
    if (backend_requests_ != nullptr) {
        loop_.remove(backend_requests_->fd());
        backend_requests_->retire();
        retired_channel_ = std::exchange(backend_requests_, nullptr);
    }
    const bool reply_ack = (protocol_features_ & bit(ProtocolFeature::kReplyAck)) != 0;
    backend_requests_ = std::make_shared<BackendRequests>(std::move(socket), reply_ack, logger_);
    // Edge-triggered: the channel sends until the socket is full, from whatever thread, and
    // is told here when there is room again.
    loop_.add(backend_requests_->fd(), EPOLLIN | EPOLLOUT | EPOLLET, [this](uint32_t) {
        if (!backend_requests_->process()) {
            drop_backend_requests();
        }
    });
    device_.backend_requests_ready(backend_requests_);
    return {};
}

void Connection::drop_backend_requests() {
    if (backend_requests_ != nullptr) {
        const auto channel = std::exchange(backend_requests_, nullptr);
        loop_.remove(channel->fd());
        channel->close();
    }
}

}  // namespace vrdma::vhost
