// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "hostile/machine.h"

#include <linux/virtio_config.h>
#include <poll.h>
#include <vrdma_protocol.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>

#include "support/socket_io.h"

namespace vrdma::hostile {
namespace {

constexpr uint32_t kEventBytes = sizeof(vrdma_event);
static_assert(kEventBytes == sizeof(vrdma_completion_event));

constexpr uint64_t kRamStart = 0x10000;

test::FakeMemory make_ram(const Machine::Options& options) {
    test::FakeMemory memory(0);
    memory.add_region_of(make_memory_file(options.ram_file, options.ram), kRamStart, options.ram);
    return memory;
}

}  // namespace

Machine::Machine(const std::string& socket, const Options& options)
    : options_(options),
      memory_(make_ram(options)),
      shm_(options.shm, options.shm_holes),
      vmm_(socket),
      features_(
          vmm_.negotiate(options.packed ? test::FakeVmm::kAll : ~vhost::bit(VIRTIO_F_RING_PACKED))),
      request_(memory_.allocate(kRequestRoom)),
      answer_(memory_.allocate(kAnswerRoom)) {
    const __le64 size = htole64(options.shm);
    if (!vmm_.share(memory_) ||
        !vmm_.set_config(offsetof(vrdma_config, shm_size), std::as_bytes(std::span(&size, 1)))) {
        throw std::runtime_error("the server refuses a machine's memory");
    }
    channel_ = vmm_.open_backend_requests();
}

test::DriverQueue& Machine::start_queue(uint32_t index, uint16_t size) {
    buffers_[index].clear();
    queues_[index] = test::DriverQueue::create(memory_, size, features_);
    vmm_.start_queue(index, *queues_[index]);
    return *queues_[index];
}

void Machine::start() {
    start_queue(VRDMA_VQ_CONTROL, options_.queue_size);
    start_queue(VRDMA_VQ_DOORBELL, options_.queue_size);
    start_queue(VRDMA_VQ_EVENT, options_.queue_size);
    fill(VRDMA_VQ_EVENT);
    for (uint32_t i = 0; i < options_.completion_queues; ++i) {
        start_queue(VRDMA_VQ_COMPLETION + i, options_.queue_size);
        fill(VRDMA_VQ_COMPLETION + i);
    }
}

void Machine::fill(uint32_t index) {
    test::DriverQueue& queue = *queues_.at(index);
    for (uint16_t i = 0; i < queue.size(); ++i) {
        const uint64_t buffer = memory_.allocate(kEventBytes);
        buffers_[index][queue.add({{buffer, kEventBytes, true}})] = buffer;
    }
    queue.publish();
}

// Gives the buffers back that the device has filled.
bool Machine::drain(uint32_t index) {
    test::DriverQueue& queue = *queues_.at(index);
    bool any = false;
    while (const auto used = queue.take_used()) {
        const uint64_t buffer = buffers_[index].at(used->id);
        buffers_[index].erase(used->id);
        buffers_[index][queue.add({{buffer, kEventBytes, true}})] = buffer;
        any = true;
    }
    if (any) {
        queue.publish();
    }
    return any;
}

void Machine::wait_completion(uint32_t vector) {
    const uint32_t index = VRDMA_VQ_COMPLETION + vector;
    test::DriverQueue& queue = *queues_.at(index);
    drain(VRDMA_VQ_EVENT);
    while (!drain(index)) {
        queue.enable_interrupts();
        if (drain(index)) {
            return;
        }
        test::wait_readable(queue.call_fd(), "a completion event");
        queue.interrupted();
    }
}

std::vector<std::byte> Machine::execute(std::span<const std::byte> request, size_t room) {
    test::DriverQueue& control = *queues_.at(VRDMA_VQ_CONTROL);
    const size_t length = std::min(request.size(), kRequestRoom);
    const size_t answer = std::min(room, kAnswerRoom);
    std::ranges::copy(request.first(length), memory_.host(request_, kRequestRoom));
    std::memset(memory_.host(answer_, kAnswerRoom), 0, answer);
    const uint16_t id = control.add({{request_, static_cast<uint32_t>(length)},
                                     {answer_, static_cast<uint32_t>(answer), true}});
    control.publish();
    if (options_.patience < 0) {
        const test::Used used = control.wait_used();
        if (used.id != id || used.written > answer) {
            throw std::runtime_error("the device gave back another chain, or too much");
        }
        return memory_.load(answer_, used.written);
    }
    auto used = control.take_used();
    while (!used) {
        control.enable_interrupts();
        if ((used = control.take_used())) {
            break;
        }
        pollfd interrupt{control.call_fd(), POLLIN, 0};
        if (::poll(&interrupt, 1, options_.patience) != 1) {
            return {};
        }
        control.interrupted();
        used = control.take_used();
    }
    return memory_.load(answer_, std::min<size_t>(used->written, answer));
}

void Machine::kick_doorbells() {
    const auto found = queues_.find(VRDMA_VQ_DOORBELL);
    if (found != queues_.end()) {
        found->second->kick();
    }
}

}  // namespace vrdma::hostile
