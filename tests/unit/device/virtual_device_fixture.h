// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The device behind a real vhost-user socket, driven by a VMM and a guest driver that
// the tests play, with split and with packed rings.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <vrdma_check.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <thread>
#include <utility>

#include "device/virtual_device.h"
#include "support/captured_log.h"
#include "support/driver_queue.h"
#include "support/fake_backend_requests.h"
#include "support/fake_memory.h"
#include "support/fake_rnic.h"
#include "support/fake_vmm.h"
#include "support/page.h"
#include "vhost/server/listener.h"

namespace vrdma::device {

using test::kPage;
inline constexpr uint64_t kShmSize = 1 << 20;

class VirtualDeviceTest : public testing::TestWithParam<bool> {
  protected:
    VirtualDeviceTest() {
        char pattern[] = "/tmp/vrdma-device-test-XXXXXX";
        directory_ = ::mkdtemp(pattern);
        rnic_.state.mmap_source.fd = mmap_file_.get();
        EXPECT_EQ(::ftruncate(mmap_file_.get(), 16 * kPage), 0);
        device_ = std::make_unique<VirtualDevice>(
            VirtualDevice::Options{.guest = "guest", .mac = {0x52, 0x54, 0, 1, 2, 3}, .limits = {}},
            rnic_, logger_);
        listener_ =
            std::make_unique<vhost::Listener>(directory_ / "vm.sock", 0600, *device_, logger_);
        thread_ = std::thread([this] { listener_->run(); });
        connect();
    }

    ~VirtualDeviceTest() override {
        disconnect();
        listener_->stop();
        thread_.join();
        listener_.reset();
        device_.reset();
        EXPECT_EQ(rnic_.state.ports, 0);
        EXPECT_EQ(rnic_.state.contexts, 0);
        std::filesystem::remove_all(directory_);
    }

    // Reads what the RNIC has seen, while the device's threads may be at work.
    template <typename Member>
    Member seen(Member FakeRnicState::*member) {
        const std::lock_guard lock(rnic_.state.mutex);
        return rnic_.state.*member;
    }

    // Whether the RNIC has a descriptor for the guest's notifications, and takes one.
    bool take_notification() {
        const std::lock_guard lock(rnic_.state.mutex);
        uint64_t count = 0;
        return rnic_.state.notify.valid() &&
               ::read(rnic_.state.notify.get(), &count, sizeof(count)) == sizeof(count);
    }

    void connect() {
        vmm_ = std::make_unique<test::FakeVmm>(directory_ / "vm.sock");
        uint64_t wanted = test::FakeVmm::kAll;
        if (!GetParam()) {
            wanted &= ~(uint64_t{1} << VIRTIO_F_RING_PACKED);
        }
        features_ = vmm_->negotiate(wanted);
        ASSERT_TRUE(vmm_->share(memory_));
        const __le64 size = htole64(kShmSize);
        ASSERT_TRUE(
            vmm_->set_config(offsetof(vrdma_config, shm_size), std::as_bytes(std::span(&size, 1))));
        channel_ = vmm_->open_backend_requests();
    }

    void disconnect() {
        channel_.reset();
        vmm_.reset();
    }

    void start_queues() {
        for (uint32_t i = 0; i < VRDMA_VQ_COMPLETION + 2; ++i) {
            queues_[i] = test::DriverQueue::create(memory_, 16, features_);
            vmm_->start_queue(i, *queues_[i]);
        }
    }

    void serve_shm() { channel_->serve(shm_); }

    test::DriverQueue& control() { return *queues_.at(VRDMA_VQ_CONTROL); }

    template <typename Request>
    static std::span<const std::byte> bytes(const Request& request) {
        return std::as_bytes(std::span(&request, 1));
    }

    template <typename Request>
    Request make(uint16_t opcode, uint32_t uctx = VRDMA_NO_HANDLE) {
        Request request{};
        auto* header = reinterpret_cast<vrdma_cmd_hdr*>(&request);
        header->opcode = htole16(opcode);
        header->length = htole32(sizeof(Request));
        header->uctx = htole32(uctx);
        return request;
    }

    // The status of the answer, and the answer.
    template <typename Response>
    std::pair<uint32_t, Response> ask(std::span<const std::byte> request) {
        const auto answer = control().transact(request, sizeof(Response));
        Response response{};
        std::memcpy(&response, answer.data(), std::min(answer.size(), sizeof(response)));
        return {le32toh(response.hdr.status), response};
    }

    uint32_t alloc_ucontext() {
        return le32toh(ask<vrdma_rsp_handle>(bytes(make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_UCONTEXT)))
                           .second.handle);
    }

    vrdma_cmd_mmap mmap_request(uint32_t uctx) {
        auto request = make<vrdma_cmd_mmap>(VRDMA_CMD_MMAP, uctx);
        request.offset = htole64(0x5000);
        request.length = htole64(kPage);
        return request;
    }

    // Makes a request available without waiting for its answer; returns where that goes.
    uint64_t submit(std::span<const std::byte> request, uint32_t response_size) {
        const uint64_t answer = memory_.allocate(response_size);
        control().add({{memory_.store(request), static_cast<uint32_t>(request.size())},
                       {answer, response_size, true}});
        control().publish();
        return answer;
    }

    test::FakeMemory memory_;
    FakeRnic rnic_;
    FileDescriptor mmap_file_{::memfd_create("queue", MFD_CLOEXEC)};
    std::shared_ptr<spdlog::logger> logger_ = test::silent_logger();
    std::filesystem::path directory_;
    std::unique_ptr<VirtualDevice> device_;
    std::unique_ptr<vhost::Listener> listener_;
    std::thread thread_;
    test::FakeShm shm_{kShmSize};
    std::unique_ptr<test::FakeVmm> vmm_;
    std::unique_ptr<test::FakeBackendRequests> channel_;
    uint64_t features_ = 0;
    std::map<uint32_t, std::unique_ptr<test::DriverQueue>> queues_;
};

}  // namespace vrdma::device
