// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "hostile/guest_device.h"
#include "hostile/memory_file.h"
#include "support/driver_queue.h"
#include "support/fake_backend_requests.h"
#include "support/fake_memory.h"
#include "support/fake_vmm.h"

namespace vrdma::hostile {

// A VMM and the guest in it, on the socket of a vrdmad.  Everything throws std::runtime_error when
// the server is gone, or does not answer.
class Machine : public GuestDevice {
  public:
    struct Options {
        uint64_t ram = uint64_t{4} << 20;
        MemoryFile ram_file = MemoryFile::kSealed;
        uint64_t shm = uint64_t{4} << 20;
        int shm_holes = PROT_NONE;
        bool packed = false;
        uint16_t queue_size = 32;
        uint32_t completion_queues = 1;
        // Milliseconds that a command may take; -1 for as long as it takes.
        int patience = -1;
    };

    // Connects, and starts no queue.
    Machine(const std::string& socket, const Options& options);

    // Starts the control, event, doorbell and completion queues.
    void start();

    std::vector<std::byte> execute(std::span<const std::byte> request, size_t room) override;
    std::span<std::byte> shm() override { return {shm_.data(), shm_.size()}; }
    test::FakeMemory& memory() override { return memory_; }
    void kick_doorbells() override;

    // Waits for an event of a completion queue.
    void wait_completion(uint32_t vector);

    test::FakeVmm& vmm() { return vmm_; }
    test::FakeShm& shm_region() { return shm_; }
    test::FakeBackendRequests& backend_requests() { return *channel_; }
    const Options& options() const { return options_; }

    // The queues that were started, by index.
    std::map<uint32_t, std::unique_ptr<test::DriverQueue>>& queues() { return queues_; }
    test::DriverQueue& start_queue(uint32_t index, uint16_t size);

  private:
    static constexpr size_t kRequestRoom = size_t{64} << 10;
    static constexpr size_t kAnswerRoom = size_t{16} << 10;

    void fill(uint32_t index);
    bool drain(uint32_t index);

    const Options options_;
    test::FakeMemory memory_;
    test::FakeShm shm_;
    test::FakeVmm vmm_;
    uint64_t features_;
    std::unique_ptr<test::FakeBackendRequests> channel_;
    std::map<uint32_t, std::unique_ptr<test::DriverQueue>> queues_;
    std::map<uint32_t, std::map<uint16_t, uint64_t>> buffers_;  // by queue and chain
    uint64_t request_ = 0;
    uint64_t answer_ = 0;
};

}  // namespace vrdma::hostile
