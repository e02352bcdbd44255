// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A device that goes from one process to another.
#include <exception>
#include <utility>

#include "device/verbs/object_state.h"
#include "device/virtual_device.h"
#include "state/device.pb.h"
#include "state/files.h"

namespace vrdma::device {

Result<void> VirtualDevice::save(state::Device& state, state::FilesToSend& files) {
    const std::lock_guard lock(session_mutex_);
    if (session_ == nullptr || session_->verbs == nullptr) {
        return fail(ENODEV);
    }
    state.set_rnic(rnic_.name());
    state.set_node_guid(attributes_.node_guid);
    state.set_shm_size(shm_.size());
    state::Session& session = *state.mutable_session();
    session.set_doorbells_file(files.add(session_->doorbells.fd()));
    if (auto saved = save_objects(*session_->verbs, session, files); !saved) {
        return saved;
    }
    events_.save(state);
    return {};
}

Result<void> VirtualDevice::restore(const state::Device& state, state::ReceivedFiles& files,
                                    std::shared_ptr<const memory::GuestMemory> memory) {
    connected_.store(true, std::memory_order_relaxed);
    options_.notify(Notice::kConnected);
    if (state.rnic() != rnic_.name()) {
        logger_->error("{}: the guest's objects are of the RNIC '{}', and this daemon has '{}'",
                       options_.guest, state.rnic(), rnic_.name());
        return fail(ENODEV);
    }
    attributes_.node_guid = state.node_guid();
    attributes_.sys_image_guid = state.node_guid();
    if (auto sized = shm_.set_size(state.shm_size()); !sized) {
        return sized;
    }
    tell_memory_limit(*memory);
    {
        const std::lock_guard lock(memory_mutex_);
        memory_ = std::move(memory);
    }
    try {
        if (auto restored = restore_session(state, files); !restored) {
            return restored;
        }
    } catch (const std::exception& error) {
        logger_->error("{}: the device cannot be set up: {}", options_.guest, error.what());
        return fail(EINVAL);
    }
    return events_.restore(state);
}

Result<void> VirtualDevice::restore_session(const state::Device& state,
                                            state::ReceivedFiles& files) {
    auto doorbells = files.take_needed(state.session().doorbells_file());
    if (!doorbells) {
        return fail(doorbells.error());
    }
    const std::lock_guard lock(session_mutex_);
    auto session = make_session(DoorbellArea(std::move(*doorbells)));
    if (!session) {
        return fail(session.error());
    }
    // The session is the device's from here on, so that disconnected() frees what there is of it.
    session_ = std::move(*session);
    const auto guest_memory = this->memory();
    Restoring restoring{.verbs = *session_->verbs, .files = files, .memory = *guest_memory};
    if (auto restored = restore_objects(restoring, state.session()); !restored) {
        return restored;
    }
    session_->port->set_doorbells(session_->doorbells.area(), -1);
    ready_.store(true, std::memory_order_relaxed);
    return {};
}

}  // namespace vrdma::device
