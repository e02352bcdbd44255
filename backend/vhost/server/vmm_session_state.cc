// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A session that goes from one process to another.
#include <algorithm>
#include <iterator>
#include <utility>

#include "state/device.pb.h"
#include "state/vmm.pb.h"
#include "vhost/protocol/vhost_user.h"
#include "vhost/server/vmm_session.h"

namespace vrdma::vhost {

void VmmSession::suspend() {
    for (auto& queue : queues_) {
        queue->suspend();
    }
}

bool VmmSession::has_outstanding() const {
    return backend_requests_ != nullptr && !backend_requests_->is_idle();
}

void VmmSession::resume() {
    for (auto& queue : queues_) {
        // A ring that does not resume was lost before, of which the VMM has been told.
        static_cast<void>(queue->resume(memory_));
    }
}

Result<void> VmmSession::save(state::VmmConnection& vmm, state::Device& device,
                              state::FilesToSend& files) {
    vmm.set_owned(owned_);
    vmm.set_features(features_);
    vmm.set_protocol_features(protocol_features_);
    for (const auto& region : memory_->regions()) {
        state::MemoryRegion& saved = *vmm.add_memory();
        saved.set_guest_address(region->start().value);
        saved.set_size(region->size());
        saved.set_user_address(region->vmm_start());
        saved.set_mmap_offset(region->backing().offset);
        saved.set_file(files.add(region->backing().file.get()));
    }
    for (const auto& queue : queues_) {
        queue->save(*vmm.add_vrings(), files);
    }
    if (backend_requests_ != nullptr) {
        vmm.set_backend_requests_file(files.add(backend_requests_->fd()));
        vmm.set_backend_replies_file(files.add(backend_requests_->replies_fd().value_or(-1)));
    }
    for (const auto& channel : retired_channels_) {
        vmm.add_retired_channel_files(files.add(channel->fd()));
    }
    return device_.save(device, files);
}

Result<void> VmmSession::restore(const state::VmmConnection& vmm, const state::Device& device,
                                 state::ReceivedFiles& files) {
    if (vmm.vrings_size() != static_cast<int>(queues_.size())) {
        return fail(EINVAL);
    }
    owned_ = vmm.owned();
    features_ = vmm.features();
    protocol_features_ = vmm.protocol_features();
    memory::GuestMemory memory;
    for (const state::MemoryRegion& saved : vmm.memory()) {
        auto file = files.take_needed(saved.file());
        if (!file) {
            return fail(file.error());
        }
        const VuMemoryRegion region{.guest_address = saved.guest_address(),
                                    .size = saved.size(),
                                    .user_address = saved.user_address(),
                                    .mmap_offset = saved.mmap_offset()};
        auto added = with_region(memory, region, *file);
        if (!added) {
            machine_.logger->error("a region of memory cannot be taken over: {}",
                                   added.error().what);
            return fail(EINVAL);
        }
        memory = std::move(*added);
    }
    memory_ = std::make_shared<const memory::GuestMemory>(std::move(memory));
    device_.features_negotiated(features_);
    if (auto restored = device_.restore(device, files, memory_); !restored) {
        return restored;
    }
    auto socket = files.take(vmm.backend_requests_file());
    auto replies = files.take(vmm.backend_replies_file());
    if (!socket || !replies) {
        return fail(EBADF);
    }
    if (*socket) {
        if (auto used = use_backend_requests(std::move(*socket), std::move(*replies)); !used) {
            return used;
        }
    }
    for (const uint32_t number : vmm.retired_channel_files()) {
        auto retired = files.take_needed(number);
        if (!retired) {
            return fail(retired.error());
        }
        retired_channels_.push_back(std::make_shared<BackendRequests>(
            std::move(*retired), FileDescriptor(), reply_ack(), machine_.logger));
        retired_channels_.back()->retire();
    }
    for (size_t index = 0; index < queues_.size(); ++index) {
        const state::Vring& vring = vmm.vrings(static_cast<int>(index));
        if (auto restored = queues_[index]->restore(vring, files, features_, memory_); !restored) {
            return restored;
        }
    }
    return {};
}

}  // namespace vrdma::vhost
