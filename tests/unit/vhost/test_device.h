// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <array>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "file_descriptor.h"
#include "vhost/device.h"

namespace vrdma::test {

// A device that answers each chain with the bytes that it was sent, from a thread per queue,
// and remembers what the connection told it.
class TestDevice : public vhost::Device {
  public:
    static constexpr uint16_t kQueues = 3;
    static constexpr uint64_t kFeatures = 0x5;
    static constexpr size_t kConfigSize = 64;

    struct State {
        unsigned connected = 0;
        unsigned disconnected = 0;
        unsigned resets = 0;
        unsigned memory_changes = 0;
        std::optional<uint64_t> features;
        std::shared_ptr<const memory::GuestMemory> memory;
        std::shared_ptr<vhost::BackendRequests> backend_requests;
        std::array<bool, kQueues> running{};
        std::array<unsigned, kQueues> held{};  // chains taken while hold() is in force
        std::array<std::byte, kConfigSize> config{};
    };

    State state();

    // Waits until `condition` holds of the state; throws when it does not for long.
    void wait(const std::string& what, const std::function<bool(const State&)>& condition);

    // From now on the device keeps the chains that it takes, and gives them back as if they had
    // never been taken when the queue stops.
    void hold(bool hold);

    // `call` is called in each disconnected() from now on, before anything else.
    void on_disconnected(std::function<void()> call);

    // vhost::Device
    uint64_t features() const override { return kFeatures; }
    uint16_t queue_count() const override { return kQueues; }
    Result<void> read_config(uint32_t offset, std::span<std::byte> out) override;
    Result<void> write_config(uint32_t offset, std::span<const std::byte> in) override;
    void connected() override;
    void disconnected() override;
    void features_negotiated(uint64_t features) override;
    void memory_changed(std::shared_ptr<const memory::GuestMemory> memory) override;
    void start_queue(uint16_t index, vhost::Virtqueue& queue) override;
    void stop_queue(uint16_t index) override;
    void reset() override;
    void backend_requests_ready(std::shared_ptr<vhost::BackendRequests> channel) override;

  private:
    struct Worker {
        FileDescriptor stop;
        std::thread thread;
    };

    void change(const std::function<void(State&)>& change);
    void serve(vhost::Virtqueue& queue, int stop_fd);
    void answer(vhost::Virtqueue& queue, vhost::DescriptorChain chain);
    bool holds();

    std::mutex mutex_;
    std::condition_variable changed_;
    State state_;
    bool hold_ = false;
    std::function<void()> on_disconnected_ = [] {};
    std::map<uint16_t, Worker> workers_;  // the connection's thread only
};

}  // namespace vrdma::test
