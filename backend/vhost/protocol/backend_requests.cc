// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vhost/protocol/backend_requests.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace vrdma::vhost {
namespace {

// The protocol says only that a failure is not zero, and QEMU sends 1 for any; other
// values are taken for an errno.
Result<void> to_result(uint64_t value) {
    constexpr uint64_t kMaxErrno = 4095;
    if (value == 0) {
        return {};
    }
    return fail(value == 1 || value > kMaxErrno ? EIO : static_cast<int>(value));
}

}  // namespace

BackendRequests::BackendRequests(FileDescriptor socket, FileDescriptor replies, bool reply_ack,
                                 std::shared_ptr<spdlog::logger> logger)
    : socket_(std::move(socket)),
      replies_(std::move(replies)),
      reply_ack_(reply_ack),
      logger_(std::move(logger)) {}

Result<void> BackendRequests::map(const MapRequest& request, Completion done) {
    FileDescriptor fd(::fcntl(request.fd, F_DUPFD_CLOEXEC, 0));
    if (!fd.valid()) {
        return fail(errno);
    }
    Outgoing outgoing;
    outgoing.request = BackendRequest::kShmemMap;
    outgoing.payload.region = request.region;
    outgoing.payload.fd_offset = request.fd_offset;
    outgoing.payload.region_offset = request.region_offset;
    outgoing.payload.length = request.length;
    outgoing.payload.flags = request.writable ? kShmemWritable : 0;
    outgoing.payload_size = sizeof(ShmemMapping);
    outgoing.fd = std::move(fd);
    return submit(std::move(outgoing), std::move(done));
}

Result<void> BackendRequests::unmap(uint8_t region, uint64_t region_offset, uint64_t length,
                                    Completion done) {
    Outgoing outgoing;
    outgoing.request = BackendRequest::kShmemUnmap;
    outgoing.payload.region = region;
    outgoing.payload.region_offset = region_offset;
    outgoing.payload.length = length;
    outgoing.payload_size = sizeof(ShmemMapping);
    return submit(std::move(outgoing), std::move(done));
}

void BackendRequests::withdraw_maps() {
    std::deque<Outgoing> withdrawn;
    std::deque<Pending> ended;
    {
        const std::lock_guard lock(mutex_);
        // What has not been sent comes last among what has no reply, in the same order.
        auto pending = pending_.end();
        for (auto outgoing = outgoing_.end(); outgoing != outgoing_.begin();) {
            --outgoing;
            if (!outgoing->need_reply) {
                continue;
            }
            --pending;
            if (outgoing->request == BackendRequest::kShmemMap && outgoing->sent == 0) {
                ended.push_back(std::move(*pending));
                pending = pending_.erase(pending);
                withdrawn.push_back(std::move(*outgoing));
                outgoing = outgoing_.erase(outgoing);
            }
        }
    }
    for (auto& request : ended) {
        request.done(fail(ECANCELED));
    }
}

Result<void> BackendRequests::config_changed() {
    Outgoing outgoing;
    outgoing.request = BackendRequest::kConfigChange;
    return submit(std::move(outgoing), nullptr);
}

// A request with a completion asks for a reply.
Result<void> BackendRequests::submit(Outgoing outgoing, Completion done) {
    if (done && !reply_ack_) {
        return fail(EOPNOTSUPP);
    }
    std::lock_guard lock(mutex_);
    if (!open_) {
        return fail(ECONNRESET);
    }
    if (pending_.size() >= kMaxOutstanding || outgoing_.size() >= kMaxOutstanding) {
        return fail(EAGAIN);
    }
    outgoing.need_reply = static_cast<bool>(done);
    if (done) {
        pending_.push_back({outgoing.request, std::move(done)});
    }
    outgoing_.push_back(std::move(outgoing));
    if (!flush_locked()) {
        // The connection's thread sees the end of the stream, and fails everything.
        ::shutdown(socket_.get(), SHUT_RDWR);
    }
    return {};
}

// Sends until the socket is full; false when it is broken.
bool BackendRequests::flush_locked() {
    while (!outgoing_.empty()) {
        Outgoing& outgoing = outgoing_.front();
        std::byte bytes[sizeof(VuHeader) + sizeof(ShmemMapping)];
        const VuHeader header{static_cast<uint32_t>(outgoing.request),
                              kVersion | (outgoing.need_reply ? kFlagNeedReply : 0),
                              static_cast<uint32_t>(outgoing.payload_size)};
        std::memcpy(bytes, &header, sizeof(header));
        std::memcpy(bytes + sizeof(header), &outgoing.payload, outgoing.payload_size);

        iovec part{bytes + outgoing.sent, sizeof(header) + outgoing.payload_size - outgoing.sent};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
        if (outgoing.fd.valid()) {
            message.msg_control = control;
            message.msg_controllen = sizeof(control);
            cmsghdr* item = CMSG_FIRSTHDR(&message);
            item->cmsg_level = SOL_SOCKET;
            item->cmsg_type = SCM_RIGHTS;
            item->cmsg_len = CMSG_LEN(sizeof(int));
            const int fd = outgoing.fd.get();
            std::memcpy(CMSG_DATA(item), &fd, sizeof(fd));
        }
        const ssize_t sent = ::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EINTR) {
                continue;
            }
            // ETOOMANYREFS: descriptors that the VMM has not received yet are at the
            // process's limit; its next reply is when to try again.
            return errno == EAGAIN || errno == EWOULDBLOCK || errno == ETOOMANYREFS;
        }
        outgoing.fd.reset();  // it goes with the first byte
        outgoing.sent += static_cast<size_t>(sent);
        if (outgoing.sent == sizeof(header) + outgoing.payload_size) {
            outgoing_.pop_front();
        }
    }
    return true;
}

bool BackendRequests::is_idle() {
    const std::lock_guard lock(mutex_);
    return !open_ || (outgoing_.empty() && pending_.empty() && reply_received_ == 0);
}

bool BackendRequests::process() {
    switch (receive_replies()) {
        case Received::kEnd:
            return false;
        case Received::kBroken:
            close();
            return false;
        case Received::kAll:
            break;
    }
    std::lock_guard lock(mutex_);
    return flush_locked();
}

BackendRequests::Received BackendRequests::receive_replies() {
    while (true) {
        auto* bytes = reinterpret_cast<std::byte*>(&reply_);
        const ssize_t got = ::recv(replies_fd().value_or(fd()), bytes + reply_received_,
                                   sizeof(reply_) - reply_received_, MSG_DONTWAIT);
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            return errno == EAGAIN || errno == EWOULDBLOCK ? Received::kAll : Received::kBroken;
        }
        if (got == 0) {
            logger_->info("the VMM closed the channel for back-end requests");
            return Received::kEnd;
        }
        reply_received_ += static_cast<size_t>(got);
        if (reply_received_ == sizeof(reply_)) {
            reply_received_ = 0;
            if (!handle_reply()) {
                return Received::kBroken;
            }
        }
    }
}

bool BackendRequests::handle_reply() {
    Completion done;
    {
        std::lock_guard lock(mutex_);
        if (pending_.empty() ||
            reply_.header.request != static_cast<uint32_t>(pending_.front().request) ||
            reply_.header.flags != (kVersion | kFlagReply) ||
            reply_.header.size != sizeof(reply_.value)) {
            const uint32_t request = reply_.header.request;
            logger_->error("the VMM's reply to back-end request {} was not expected", request);
            return false;
        }
        done = std::move(pending_.front().done);
        pending_.pop_front();
    }
    done(to_result(reply_.value));
    return true;
}

void BackendRequests::retire() {
    std::deque<Pending> pending;
    {
        std::lock_guard lock(mutex_);
        open_ = false;
        outgoing_.clear();
        pending.swap(pending_);
    }
    if (replies_) {
        ::shutdown(replies_.get(), SHUT_RDWR);
    }
    for (auto& request : pending) {
        request.done(fail(ECONNRESET));
    }
}

void BackendRequests::close() {
    retire();
    ::shutdown(socket_.get(), SHUT_RDWR);
}

}  // namespace vrdma::vhost
