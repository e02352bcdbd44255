// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vhost/server/vmm_session.h"

#include <fmt/format.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

namespace vrdma::vhost {
namespace {

constexpr uint64_t kTransportFeatures = bit(VIRTIO_F_VERSION_1) | bit(VIRTIO_RING_F_INDIRECT_DESC) |
                                        bit(VIRTIO_RING_F_EVENT_IDX) | bit(VIRTIO_F_RING_PACKED) |
                                        bit(kFeatureProtocolFeatures);

constexpr uint64_t kProtocolFeatures =
    bit(ProtocolFeature::kMq) | bit(ProtocolFeature::kReplyAck) |
    bit(ProtocolFeature::kBackendReq) | bit(ProtocolFeature::kBackendSendFd) |
    bit(ProtocolFeature::kConfig) | bit(ProtocolFeature::kConfigureMemSlots) |
    bit(ProtocolFeature::kResetDevice);

// QEMU's own channel, which the device model's channel replaces, and the latter.
constexpr size_t kMaxRetiredChannels = 2;

// The header of GET_CONFIG or SET_CONFIG, whose size has to be that of the message.
std::optional<VuConfigHeader> config_header(const Message& message) {
    const auto header = message.as<VuConfigHeader>();
    if (header.size > kMaxConfigSize || message.header.size != sizeof(header) + header.size) {
        return std::nullopt;
    }
    return header;
}

}  // namespace

VmmSession::VmmSession(Device& device, EventLoop& loop, EventfdSignaller& signaller,
                       const Machine& machine, Begun begun)
    : device_(device),
      loop_(loop),
      signaller_(signaller),
      machine_(machine),
      memory_(std::make_shared<const memory::GuestMemory>()) {
    for (uint16_t index = 0; index < device_.queue_count(); ++index) {
        queues_.push_back(
            std::make_unique<QueueState>(index, device_, signaller_, machine_.logger));
    }
    if (begun == Begun::kHere) {
        device_.connected();
    }
}

VmmSession::~VmmSession() {
    queues_.clear();
    retire_backend_requests();
    device_.disconnected();
    memory_.reset();
    // To a VMM that has cut this connection off, the end of the channel says that nothing uses the
    // guest's memory any more.
    retired_channels_.clear();
}

bool VmmSession::reply_ack() const {
    return (protocol_features_ & bit(ProtocolFeature::kReplyAck)) != 0;
}

Outcome VmmSession::get_features(Message&) {
    return answer(kTransportFeatures | device_.features());
}

Outcome VmmSession::set_features(Message& message) {
    const auto features = message.as<uint64_t>();
    if (features & ~(kTransportFeatures | device_.features())) {
        return refuse(fmt::format("features {:#x} were not offered", features));
    }
    if (features == features_) {
        return done();
    }
    if (std::any_of(queues_.begin(), queues_.end(),
                    [](const auto& queue) { return queue->started(); })) {
        return refuse("features cannot change while queues run");
    }
    features_ = features;
    device_.features_negotiated(features);
    return done();
}

// "Can be used on the back-end as a session start flag": a VMM whose device was
// unplugged starts anew on the same connection, without taking anything back.
Outcome VmmSession::set_owner(Message&) {
    if (owned_) {
        reset();
        set_memory(memory::GuestMemory());
    }
    owned_ = true;
    return done();
}

// "This is no longer used": at most to be understood as disabling all rings.
Outcome VmmSession::reset_owner(Message&) {
    for (auto& queue : queues_) {
        queue->enable(false);
    }
    return done();
}

Outcome VmmSession::get_protocol_features(Message&) {
    return answer(kProtocolFeatures);
}

Outcome VmmSession::set_protocol_features(Message& message) {
    const auto features = message.as<uint64_t>();
    if (features & ~kProtocolFeatures) {
        return refuse(fmt::format("protocol features {:#x} were not offered", features));
    }
    protocol_features_ = features;
    return done();
}

Outcome VmmSession::get_config(Message& message) {
    const auto header = config_header(message);
    if (!header) {
        return malformed("its size is not that of the configuration in it");
    }
    std::vector<std::byte> payload(sizeof(*header) + header->size);
    std::memcpy(payload.data(), &*header, sizeof(*header));
    const auto space = std::span(payload).subspan(sizeof(*header));
    if (auto read = device_.read_config(header->offset, space); !read) {
        return tl::unexpected(Refusal{to_string(read.error()), Refusal::Answer::kEmpty});
    }
    return payload;
}

Outcome VmmSession::set_config(Message& message) {
    const auto header = config_header(message);
    if (!header) {
        return malformed("its size is not that of the configuration in it");
    }
    return outcome_of(
        device_.write_config(header->offset, message.bytes().subspan(sizeof(*header))));
}

Outcome VmmSession::set_backend_req_fd(Message& message) {
    return outcome_of(open_backend_requests(std::move(message.fds[0])));
}

Outcome VmmSession::reset_device(Message&) {
    reset();
    return done();
}

void VmmSession::reset() {
    for (auto& queue : queues_) {
        queue->stop();
        queue->enable(false);
    }
    device_.reset();
}

Result<void> VmmSession::open_backend_requests(FileDescriptor socket) {
    auto replies = machine_.receive_from(socket);
    if (!replies) {
        return fail(replies.error());
    }
    return use_backend_requests(std::move(socket), std::move(*replies));
}

Result<void> VmmSession::use_backend_requests(FileDescriptor socket, FileDescriptor replies) {
    int type = 0;
    socklen_t length = sizeof(type);
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &length) != 0) {
        return fail(errno);
    }
    if (type != SOCK_STREAM) {
        return fail(EPROTOTYPE);
    }
    retire_backend_requests();
    backend_requests_ = std::make_shared<BackendRequests>(std::move(socket), std::move(replies),
                                                          reply_ack(), machine_.logger);
    serve_backend_requests();
    device_.backend_requests_ready(backend_requests_);
    return {};
}

void VmmSession::serve_backend_requests() {
    // Edge-triggered: the channel sends until the socket is full, from whatever thread, and
    // is told here when there is room again.
    const auto process = [this](uint32_t) {
        if (!backend_requests_->process()) {
            retire_backend_requests();
        }
        if (answered_ != nullptr && !has_outstanding()) {
            answered_();
        }
    };
    const auto replies_fd = backend_requests_->replies_fd();
    const uint32_t room = EPOLLOUT | EPOLLET;
    const uint32_t replies_came = EPOLLIN | EPOLLET;
    if (replies_fd) {
        loop_.add(backend_requests_->fd(), room, process);
        loop_.add(*replies_fd, replies_came, process);
    } else {
        loop_.add(backend_requests_->fd(), room | replies_came, process);
    }
}

void VmmSession::retire_backend_requests() {
    if (backend_requests_ != nullptr) {
        loop_.remove(backend_requests_->fd());
        if (const auto fd = backend_requests_->replies_fd()) {
            loop_.remove(*fd);
        }
        backend_requests_->retire();
        if (retired_channels_.size() == kMaxRetiredChannels) {
            retired_channels_.pop_front();
        }
        retired_channels_.push_back(std::exchange(backend_requests_, nullptr));
    }
}

}  // namespace vrdma::vhost
