// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The messages about rings.
#include <fmt/format.h>
#include <linux/vhost_types.h>

#include <utility>

#include "vhost/protocol/vhost_user.h"
#include "vhost/server/vmm_session.h"

namespace vrdma::vhost {
namespace {

tl::unexpected<Refusal> no_queue(uint64_t index) {
    return refuse(fmt::format("there is no queue {}", index));
}

}  // namespace

// The queue and the descriptor of SET_VRING_KICK, CALL and ERR; an invalid descriptor for none.
struct VmmSession::RingFd {
    uint64_t index;
    QueueState* queue;
    FileDescriptor fd;
};

QueueState* VmmSession::queue(uint64_t index) const {
    return index < queues_.size() ? queues_[index].get() : nullptr;
}

tl::expected<VmmSession::RingFd, Refusal> VmmSession::ring_fd(Message& message) const {
    const auto value = message.as<uint64_t>();
    const bool without = (value & kVringNoFd) != 0;
    if (message.fds.size() != (without ? 0 : 1)) {
        return malformed(fmt::format("{} descriptors where {} was announced", message.fds.size(),
                                     without ? "none" : "one"));
    }
    RingFd result{value & kVringIndexMask, queue(value & kVringIndexMask), {}};
    if (result.queue == nullptr) {
        return no_queue(result.index);
    }
    if (!without) {
        // Anything else, such as a pipe whose other end is closed, may be readable for ever and
        // keep the thread that waits for it busy.
        if (!signaller_.is_eventfd(message.fds[0].get())) {
            return refuse("not an eventfd");
        }
        result.fd = std::move(message.fds[0]);
    }
    return result;
}

Outcome VmmSession::get_queue_num(Message&) {
    return answer(uint64_t{queues_.size()});
}

Outcome VmmSession::set_vring_num(Message& message) {
    const auto state = message.as<vhost_vring_state>();
    QueueState* target = queue(state.index);
    return target != nullptr ? outcome_of(target->set_size(state.num)) : no_queue(state.index);
}

Outcome VmmSession::set_vring_addr(Message& message) {
    const auto address = message.as<vhost_vring_addr>();
    QueueState* target = queue(address.index);
    if (target == nullptr) {
        return no_queue(address.index);
    }
    if (address.flags != 0) {
        return refuse("logging was not negotiated");
    }
    return outcome_of(target->set_addresses(address.desc_user_addr, address.avail_user_addr,
                                            address.used_user_addr));
}

Outcome VmmSession::set_vring_base(Message& message) {
    const auto state = message.as<vhost_vring_state>();
    QueueState* target = queue(state.index);
    return target != nullptr ? outcome_of(target->set_base(state.num)) : no_queue(state.index);
}

Outcome VmmSession::get_vring_base(Message& message) {
    auto state = message.as<vhost_vring_state>();
    QueueState* target = queue(state.index);
    if (target == nullptr) {
        return malformed(fmt::format("there is no queue {}", state.index));
    }
    state.num = target->stop();
    return answer(state);
}

Outcome VmmSession::set_vring_kick(Message& message) {
    auto target = ring_fd(message);
    if (!target) {
        return tl::unexpected(target.error());
    }
    if (!target->fd.valid()) {
        return refuse("queues without a kick descriptor would have to be polled");
    }
    auto started = target->queue->start(std::move(target->fd), features_, memory_);
    if (!started) {
        return refuse(
            fmt::format("queue {} cannot start: {}", target->index, to_string(started.error())));
    }
    return done();
}

Outcome VmmSession::set_vring_call(Message& message) {
    auto target = ring_fd(message);
    if (!target) {
        return tl::unexpected(target.error());
    }
    target->queue->set_call(std::move(target->fd));
    return done();
}

Outcome VmmSession::set_vring_err(Message& message) {
    auto target = ring_fd(message);
    if (!target) {
        return tl::unexpected(target.error());
    }
    target->queue->set_error(std::move(target->fd));
    return done();
}

Outcome VmmSession::set_vring_enable(Message& message) {
    const auto state = message.as<vhost_vring_state>();
    QueueState* target = queue(state.index);
    if (target == nullptr) {
        return no_queue(state.index);
    }
    if (state.num > 1) {
        return refuse(fmt::format("{} is neither enabled nor disabled", state.num));
    }
    target->enable(state.num == 1);
    return done();
}

}  // namespace vrdma::vhost
