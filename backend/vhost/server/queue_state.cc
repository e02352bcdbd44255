// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vhost/server/queue_state.h"

#include <linux/virtio_config.h>

#include "state/vmm.pb.h"
#include "vhost/protocol/vhost_user.h"

namespace vrdma::vhost {

QueueState::QueueState(uint16_t index, Device& device, EventfdSignaller& signaller,
                       std::shared_ptr<spdlog::logger> logger)
    : index_(index),
      device_(device),
      signaller_(signaller),
      queue_(index, signaller, std::move(logger)) {}

QueueState::~QueueState() {
    stop();
}

Result<void> QueueState::set_size(uint32_t size) {
    if (started_) {
        return fail(EBUSY);
    }
    if (size == 0 || size > UINT16_MAX) {
        return fail(EINVAL);
    }
    layout_.size = static_cast<uint16_t>(size);
    return {};
}

Result<void> QueueState::set_addresses(uint64_t descriptors, uint64_t driver, uint64_t device) {
    const bool same = layout_.descriptors == descriptors && layout_.driver == driver &&
                      layout_.device == device && addressed_;
    if (started_) {
        return same ? Result<void>() : fail(EBUSY);
    }
    layout_.descriptors = descriptors;
    layout_.driver = driver;
    layout_.device = device;
    addressed_ = true;
    return {};
}

Result<void> QueueState::set_base(uint32_t base) {
    if (started_) {
        return fail(EBUSY);
    }
    base_ = base;
    return {};
}

Result<void> QueueState::start(FileDescriptor kick, uint64_t features,
                               std::shared_ptr<const memory::GuestMemory> memory) {
    if (started_) {
        // The device waits on the old descriptor until it is stopped.
        const bool was_enabled = enabled_;
        enable(false);
        queue_.set_kick(std::move(kick));
        enable(was_enabled);
        return {};
    }
    if (layout_.size == 0 || !addressed_ || (features & bit(VIRTIO_F_VERSION_1)) == 0) {
        return fail(EINVAL);
    }
    layout_.features = features;
    if (auto set_up = queue_.set_up(layout_, base_, std::move(memory)); !set_up) {
        return set_up;
    }
    queue_.set_kick(std::move(kick));
    started_ = true;
    lost_ = false;
    // "If VHOST_USER_F_PROTOCOL_FEATURES has not been negotiated, the ring starts directly
    // in the enabled state."
    if ((features & bit(kFeatureProtocolFeatures)) == 0) {
        enabled_ = true;
    }
    update();
    return {};
}

void QueueState::enable(bool enabled) {
    enabled_ = enabled;
    update();
}

uint32_t QueueState::stop() {
    if (!started_) {
        return base_;
    }
    started_ = false;
    update();
    base_ = queue_.tear_down();
    queue_.set_kick(FileDescriptor());
    return base_;
}

void QueueState::suspend() {
    if (started_) {
        suspended_ = true;
        update();
        base_ = queue_.tear_down();
    }
}

Result<void> QueueState::resume(std::shared_ptr<const memory::GuestMemory> memory) {
    if (!suspended_) {
        return {};
    }
    suspended_ = false;
    auto set_up = queue_.set_up(layout_, base_, std::move(memory));
    lost_ = lost_ || !set_up;
    update();
    return set_up;
}

void QueueState::save(state::Vring& vring, state::FilesToSend& files) const {
    vring.set_size(layout_.size);
    vring.set_descriptors(layout_.descriptors);
    vring.set_driver(layout_.driver);
    vring.set_device(layout_.device);
    vring.set_base(base_);
    vring.set_addressed(addressed_);
    vring.set_started(started_ && !lost_);
    vring.set_enabled(enabled_);
    vring.set_kick_file(files.add(queue_.kick_fd()));
    vring.set_call_file(files.add(queue_.call_fd()));
    vring.set_error_file(files.add(queue_.error_fd()));
}

Result<FileDescriptor> QueueState::take_eventfd(uint32_t number, state::ReceivedFiles& files) {
    auto file = files.take(number);
    if (file && file->valid() && !signaller_.is_eventfd(file->get())) {
        return fail(EINVAL);
    }
    return file;
}

Result<void> QueueState::restore(const state::Vring& vring, state::ReceivedFiles& files,
                                 uint64_t features,
                                 std::shared_ptr<const memory::GuestMemory> memory) {
    auto kick = take_eventfd(vring.kick_file(), files);
    auto call = take_eventfd(vring.call_file(), files);
    auto error = take_eventfd(vring.error_file(), files);
    for (const auto* file : {&kick, &call, &error}) {
        if (!*file) {
            return fail(file->error());
        }
    }
    if (vring.size() != 0) {
        if (auto sized = set_size(vring.size()); !sized) {
            return sized;
        }
    }
    if (vring.addressed()) {
        if (auto placed = set_addresses(vring.descriptors(), vring.driver(), vring.device());
            !placed) {
            return placed;
        }
    }
    base_ = vring.base();
    set_call(std::move(*call));
    set_error(std::move(*error));
    enabled_ = vring.enabled();
    if (!vring.started()) {
        return {};
    }
    return kick->valid() ? start(std::move(*kick), features, std::move(memory)) : fail(EINVAL);
}

void QueueState::change_memory(std::shared_ptr<const memory::GuestMemory> memory) {
    if (started_ && !queue_.change_memory(std::move(memory))) {
        lost_ = true;
        update();
    }
}

void QueueState::update() {
    const bool run = started_ && enabled_ && !lost_ && !suspended_;
    if (run == running_) {
        return;
    }
    running_ = run;
    if (run) {
        device_.start_queue(index_, queue_);
    } else {
        device_.stop_queue(index_);
    }
}

}  // namespace vrdma::vhost
