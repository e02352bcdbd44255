// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "test_device.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>

namespace vrdma::test {

TestDevice::State TestDevice::state() {
    std::lock_guard lock(mutex_);
    return state_;
}

void TestDevice::wait(const std::string& what, const std::function<bool(const State&)>& condition) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::minutes(1), [&] { return condition(state_); })) {
        throw std::runtime_error("waited in vain for " + what);
    }
}

void TestDevice::change(const std::function<void(State&)>& change) {
    std::lock_guard lock(mutex_);
    change(state_);
    changed_.notify_all();
}

void TestDevice::hold(bool hold) {
    std::lock_guard lock(mutex_);
    hold_ = hold;
}

bool TestDevice::holds() {
    std::lock_guard lock(mutex_);
    return hold_;
}

Result<void> TestDevice::read_config(uint32_t offset, std::span<std::byte> out) {
    std::lock_guard lock(mutex_);
    if (offset > kConfigSize || out.size() > kConfigSize - offset) {
        return fail(EINVAL);
    }
    std::copy_n(state_.config.begin() + offset, out.size(), out.begin());
    return {};
}

Result<void> TestDevice::write_config(uint32_t offset, std::span<const std::byte> in) {
    std::lock_guard lock(mutex_);
    if (offset > kConfigSize || in.size() > kConfigSize - offset) {
        return fail(EINVAL);
    }
    std::copy(in.begin(), in.end(), state_.config.begin() + offset);
    return {};
}

void TestDevice::connected() {
    change([](State& state) { ++state.connected; });
}

void TestDevice::on_disconnected(std::function<void()> call) {
    std::lock_guard lock(mutex_);
    on_disconnected_ = std::move(call);
}

void TestDevice::disconnected() {
    std::unique_lock lock(mutex_);
    const auto call = on_disconnected_;
    lock.unlock();
    call();
    change([](State& state) {
        ++state.disconnected;
        state.memory.reset();
        state.backend_requests.reset();
    });
}

void TestDevice::features_negotiated(uint64_t features) {
    change([&](State& state) { state.features = features; });
}

void TestDevice::memory_changed(std::shared_ptr<const memory::GuestMemory> memory) {
    change([&](State& state) {
        ++state.memory_changes;
        state.memory = std::move(memory);
    });
}

void TestDevice::reset() {
    change([](State& state) { ++state.resets; });
}

void TestDevice::backend_requests_ready(std::shared_ptr<vhost::BackendRequests> channel) {
    change([&](State& state) { state.backend_requests = std::move(channel); });
}

void TestDevice::start_queue(uint16_t index, vhost::Virtqueue& queue) {
    Worker worker;
    worker.stop = FileDescriptor(::eventfd(0, EFD_CLOEXEC));
    worker.thread = std::thread([this, &queue, fd = worker.stop.get()] { serve(queue, fd); });
    workers_[index] = std::move(worker);
    change([&](State& state) { state.running[index] = true; });
}

void TestDevice::stop_queue(uint16_t index) {
    Worker& worker = workers_.at(index);
    const uint64_t one = 1;
    if (::write(worker.stop.get(), &one, sizeof(one)) == sizeof(one)) {
        worker.thread.join();
    }
    workers_.erase(index);
    change([&](State& state) {
        state.running[index] = false;
        state.held[index] = 0;
    });
}

void TestDevice::serve(vhost::Virtqueue& queue, int stop_fd) {
    std::vector<vhost::DescriptorChain> held;
    bool failed = false;
    while (true) {
        while (!failed) {
            queue.disable_notifications();
            auto chain = queue.pop();
            while (chain && *chain) {
                if (holds()) {
                    held.push_back(std::move(**chain));
                    change([&](State& state) { ++state.held[queue.index()]; });
                } else {
                    answer(queue, std::move(**chain));
                }
                chain = queue.pop();
            }
            failed = !chain;
            if (!queue.enable_notifications()) {
                break;
            }
        }
        pollfd fds[] = {{stop_fd, POLLIN, 0}, {queue.kick_fd(), POLLIN, 0}};
        ::poll(fds, failed ? 1 : 2, -1);
        if (fds[0].revents != 0) {
            break;
        }
        eventfd_t count = 0;
        ::eventfd_read(queue.kick_fd(), &count);
    }
    for (auto& chain : held) {
        queue.unpop(std::move(chain));
    }
}

void TestDevice::answer(vhost::Virtqueue& queue, vhost::DescriptorChain chain) {
    const size_t size = std::min(chain.readable_size(), chain.writable_size());
    std::vector<std::byte> bytes(size);
    if (!chain.read(0, bytes) || !chain.write(0, bytes)) {
        throw std::runtime_error("a chain is shorter than it says");
    }
    queue.push(std::move(chain), static_cast<uint32_t>(size));
    queue.notify();
}

}  // namespace vrdma::test
