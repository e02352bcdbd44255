// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "support/driver_queue.h"

#include <fcntl.h>
#include <linux/virtio_config.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <utility>

#include "support/packed_driver_queue.h"
#include "support/signaller.h"
#include "support/socket_io.h"
#include "support/split_driver_queue.h"
#include "vhost/protocol/vhost_user.h"

namespace vrdma::test {
namespace {

FileDescriptor make_eventfd() {
    FileDescriptor fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!fd.valid()) {
        throw std::runtime_error("no eventfd");
    }
    return fd;
}

bool take(const FileDescriptor& eventfd) {
    uint64_t count = 0;
    return ::read(eventfd.get(), &count, sizeof(count)) == sizeof(count);
}

}  // namespace

DriverQueue::DriverQueue(FakeMemory& memory, uint16_t size, uint64_t features)
    : memory_(memory), kick_(make_eventfd()), call_(make_eventfd()), error_(make_eventfd()) {
    layout_.size = size;
    layout_.features = features;
}

std::unique_ptr<DriverQueue> DriverQueue::create(FakeMemory& memory, uint16_t size,
                                                 uint64_t features) {
    if (features & vhost::bit(VIRTIO_F_RING_PACKED)) {
        return std::make_unique<PackedDriverQueue>(memory, size, features);
    }
    return std::make_unique<SplitDriverQueue>(memory, size, features);
}

void DriverQueue::kick() {
    const uint64_t one = 1;
    if (eventfds_block_) {
        if (!signaller().signal(kick_.get())) {
            throw std::runtime_error("cannot kick");
        }
    } else if (::write(kick_.get(), &one, sizeof(one)) != sizeof(one)) {
        throw std::runtime_error("cannot kick");
    }
}

bool DriverQueue::publish() {
    const bool wanted = kick_wanted();
    if (wanted) {
        kick();
    }
    return wanted;
}

bool DriverQueue::interrupted() {
    return take(call_);
}

bool DriverQueue::error_signalled() {
    return take(error_);
}

void DriverQueue::make_eventfds_block() {
    if (std::exchange(eventfds_block_, true)) {
        return;
    }
    for (const FileDescriptor* fd : {&kick_, &call_, &error_}) {
        const uint64_t full = UINT64_MAX - 1;
        take(*fd);
        if (::write(fd->get(), &full, sizeof(full)) != sizeof(full) ||
            ::fcntl(fd->get(), F_SETFL, 0) != 0) {
            throw std::runtime_error("an eventfd cannot be filled");
        }
    }
}

Used DriverQueue::wait_used() {
    while (true) {
        if (auto used = take_used()) {
            return *used;
        }
        enable_interrupts();
        if (auto used = take_used()) {
            return *used;
        }
        wait_readable(call_.get(), "an interrupt");
        interrupted();
    }
}

std::vector<std::byte> DriverQueue::transact(std::span<const std::byte> request,
                                             size_t response_size) {
    const uint64_t out = memory_.store(request);
    const uint64_t in = memory_.allocate(response_size);
    const uint16_t id = add({Buffer{out, static_cast<uint32_t>(request.size())},
                             Buffer{in, static_cast<uint32_t>(response_size), true}});
    publish();
    const Used used = wait_used();
    if (used.id != id || used.written > response_size) {
        throw std::runtime_error("the device gave back another chain, or too much");
    }
    return memory_.load(in, used.written);
}

std::vector<std::byte> DriverQueue::table(std::span<const RawDescriptor> descriptors, bool packed) {
    std::vector<std::byte> bytes;
    const auto append = [&](const auto& descriptor) {
        const auto* data = reinterpret_cast<const std::byte*>(&descriptor);
        bytes.insert(bytes.end(), data, data + sizeof(descriptor));
    };
    for (const auto& raw : descriptors) {
        if (packed) {
            append(vring_packed_desc{raw.address, raw.length, 0, raw.flags});
        } else {
            append(vring_desc{raw.address, raw.length, raw.flags, raw.next});
        }
    }
    return bytes;
}

}  // namespace vrdma::test
