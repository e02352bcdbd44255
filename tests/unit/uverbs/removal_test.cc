// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The host takes its RNIC away under guests and VMMs that do nothing to let it go.
#include <vrdma_check.h>

#include <cstdlib>
#include <filesystem>
#include <map>

#include "device/virtual_device.h"
#include "support/driver_queue.h"
#include "support/fake_backend_requests.h"
#include "support/fake_memory.h"
#include "support/fake_vmm.h"
#include "unit/uverbs/fixture.h"
#include "vhost/server/listener.h"

namespace vrdma::uverbs {
namespace {

// A virtual machine on a socket of its own, with a user context on the RNIC.
class Machine {
  public:
    Machine(const std::filesystem::path& socket, rnic::Rnic& rnic,
            const std::shared_ptr<spdlog::logger>& logger)
        : device_({.guest = socket.stem(), .mac = {}, .limits = {}}, rnic, logger),
          listener_(socket, 0600, device_, logger),
          thread_([this] { listener_.run(); }),
          vmm(socket) {
        const uint64_t features = vmm.negotiate();
        EXPECT_TRUE(vmm.share(memory));
        const __le64 size = htole64(1 << 20);
        EXPECT_TRUE(
            vmm.set_config(offsetof(vrdma_config, shm_size), std::as_bytes(std::span(&size, 1))));
        channel = vmm.open_backend_requests();
        control = test::DriverQueue::create(memory, kQueueSize, features);
        vmm.start_queue(VRDMA_VQ_CONTROL, *control);
        submit(VRDMA_CMD_ALLOC_UCONTEXT, sizeof(vrdma_rsp_handle));
        control->wait_used();
    }
    ~Machine() {
        listener_.stop();
        thread_.join();
    }
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    void submit(uint16_t opcode, uint32_t response_size) {
        vrdma_cmd_empty command{};
        command.hdr.opcode = htole16(opcode);
        command.hdr.length = htole32(sizeof(command));
        command.hdr.uctx = htole32(VRDMA_NO_HANDLE);
        // All requests with one opcode have one buffer, and their answers another.
        auto [found, is_new] = buffers_.try_emplace(opcode);
        if (is_new) {
            found->second = {memory.store(std::as_bytes(std::span(&command, 1))),
                             memory.allocate(response_size)};
        }
        control->add(
            {{found->second.first, sizeof(command)}, {found->second.second, response_size, true}});
        control->publish();
    }

    static constexpr uint16_t kQueueSize = 64;

  private:
    device::VirtualDevice device_;
    vhost::Listener listener_;
    std::thread thread_;
    std::map<uint16_t, std::pair<uint64_t, uint64_t>> buffers_;  // request, response

  public:
    test::FakeMemory memory;
    test::FakeVmm vmm;
    std::unique_ptr<test::FakeBackendRequests> channel;
    std::unique_ptr<test::DriverQueue> control;
};

class UverbsRemovalTest : public UverbsTest {
  protected:
    UverbsRemovalTest() {
        char pattern[] = "/tmp/vrdma-removal-test-XXXXXX";
        folder_ = ::mkdtemp(pattern);
        make_rnic();
    }
    ~UverbsRemovalTest() override { std::filesystem::remove_all(folder_); }

    std::unique_ptr<Machine> machine(const char* name) {
        return std::make_unique<Machine>(folder_ / name, *rnic, logger);
    }

    // The kernel waits until the daemon has no file of the RNIC open.
    void expect_removal() {
        ASSERT_GT(kernel.open_files(), 1U);
        removal->pull();
        EXPECT_TRUE(eventually([&] { return kernel.open_files() == 0; }));
    }

  private:
    std::filesystem::path folder_;
};

TEST_F(UverbsRemovalTest, AGuestWhoseCommandsDoNotEndDoesNotHoldTheRnic) {
    const auto busy = machine("busy");
    std::atomic<bool> stop = false;
    std::thread guest([&] {
        while (!stop) {
            for (int i = 0; i < Machine::kQueueSize / 2; ++i) {
                busy->submit(VRDMA_CMD_QUERY_DEVICE, sizeof(vrdma_rsp_query_device));
            }
            for (int i = 0; i < Machine::kQueueSize / 2; ++i) {
                busy->control->wait_used();
            }
        }
    });
    expect_removal();
    stop = true;
    guest.join();
}

TEST_F(UverbsRemovalTest, AVmmThatAnswersNoRequestToMapDoesNotHoldTheRnic) {
    const auto stopped = machine("stopped");
    stopped->submit(VRDMA_CMD_MAP_DOORBELLS, sizeof(vrdma_rsp_map_doorbells));
    EXPECT_EQ(stopped->channel->receive().type(), vhost::BackendRequest::kShmemMap);
    expect_removal();
}

TEST_F(UverbsRemovalTest, AVmmWhoseEventfdsBlockHoldsTheRnicForNobody) {
    const auto blocks = machine("blocks");
    const auto honest = machine("honest");
    blocks->control->make_eventfds_block();
    expect_removal();
    honest->submit(VRDMA_CMD_ALLOC_PD, sizeof(vrdma_rsp_handle));
    honest->control->wait_used();
}

}  // namespace
}  // namespace vrdma::uverbs
