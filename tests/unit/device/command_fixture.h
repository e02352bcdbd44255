// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A guest's commands, one chain each, go through the dispatcher and the verbs to an RNIC that
// counts its objects.
#pragma once

#include <gtest/gtest.h>
#include <linux/virtio_config.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "device/command_dispatcher.h"
#include "support/captured_log.h"
#include "support/commands.h"
#include "support/driver_queue.h"
#include "support/fake_memory.h"
#include "support/fake_rnic.h"
#include "support/fake_shm_mapper.h"
#include "support/signaller.h"
#include "vhost/protocol/vhost_user.h"
#include "vhost/rings/virtqueue.h"

namespace vrdma::device {

inline constexpr uint64_t kRam = 0x10000;
inline constexpr uint32_t kRoom = 256;

class CommandTest : public testing::Test {
  protected:
    CommandTest() {
        shm_.refuse = ENOMEM;  // until a test wants mappings
        EXPECT_TRUE(
            queue_.set_up(driver_->layout(), driver_->initial_base(), memory_.as_guest_memory()));
        make_verbs();
    }
    ~CommandTest() override {
        verbs_.reset();
        queue_.tear_down();
    }

    // Makes the verbs anew, for an RNIC with these user pointers in its udata.
    void make_verbs(std::span<const vrdma_udata_pointer> pointers = {}, const Limits& limits = {}) {
        make_verbs(port_, pointers, limits);
    }
    void make_verbs(rnic::Port& port, std::span<const vrdma_udata_pointer> pointers,
                    const Limits& limits) {
        verbs_.reset();
        budgets_ = std::make_unique<GuestBudgets>("guest", limits, attributes_, logger_);
        verbs_ = std::make_unique<Verbs>(
            Verbs::Options{
                .budgets = *budgets_, .attributes = attributes_, .udata_pointers = pointers},
            port, shm_, DoorbellMemory{.fd = 3, .length = VRDMA_SHM_PAGE_SIZE},
            [this] { return memory_.as_guest_memory(); });
    }
    template <typename Request>
    static Request make(uint16_t opcode, uint32_t uctx = VRDMA_NO_HANDLE) {
        return test::make_command<Request>(opcode, uctx);
    }

    // The status of the answer, and the handle for a verb whose answer has one.
    std::pair<int, uint32_t> ask_bytes(std::span<const std::byte> request) {
        const uint64_t answer = memory_.allocate(kRoom);
        driver_->add({{memory_.store(request), static_cast<uint32_t>(request.size())},
                      {answer, kRoom, true}});
        auto popped = queue_.pop();
        vhost::DescriptorChain chain = std::move(popped.value().value());
        const auto outcome = dispatcher_.execute(chain, *verbs_);
        queue_.push(std::move(chain), outcome.written);
        EXPECT_TRUE(driver_->take_used());
        const auto* response = memory_.at<vrdma_rsp_handle>(answer);
        return {static_cast<int>(le32toh(response->hdr.status)), le32toh(response->handle)};
    }
    template <typename Request>
    std::pair<int, uint32_t> ask(const Request& request) {
        return ask_bytes(std::as_bytes(std::span(&request, 1)));
    }

    uint32_t uctx() { return ask(make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_UCONTEXT)).second; }
    uint32_t pd(uint32_t uctx) {
        return ask(make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_PD, uctx)).second;
    }
    uint32_t cq(uint32_t uctx) {
        auto request = make<vrdma_cmd_create_cq>(VRDMA_CMD_CREATE_CQ, uctx);
        request.cqe = htole32(1);
        return ask(request).second;
    }

    std::vector<std::byte> reg_mr(uint32_t uctx, uint32_t pd, uint64_t length, uint32_t run_count,
                                  std::span<const vrdma_run> runs) {
        auto request = make<vrdma_cmd_reg_mr>(VRDMA_CMD_REG_MR, uctx);
        request.pd = htole32(pd);
        request.length = htole64(length);
        request.run_count = htole32(run_count);
        const auto fixed = std::as_bytes(std::span(&request, 1));
        const auto list = std::as_bytes(runs);
        std::vector<std::byte> bytes(fixed.size() + list.size());
        std::ranges::copy(list, std::ranges::copy(fixed, bytes.begin()).out);
        return bytes;
    }

    std::shared_ptr<spdlog::logger> logger_ = test::silent_logger();
    test::FakeMemory memory_{16 << 20, kRam};
    std::unique_ptr<test::DriverQueue> driver_ =
        test::DriverQueue::create(memory_, 16, vhost::bit(VIRTIO_F_VERSION_1));
    vhost::Virtqueue queue_{VRDMA_VQ_CONTROL, test::signaller(), logger_};
    FakeRnicState state_;
    FakePort port_{state_, &FakeRnicState::ports, "port"};
    test::FakeShmMapper shm_;
    rnic::DeviceAttributes attributes_ = FakeRnic().attributes();
    std::unique_ptr<GuestBudgets> budgets_;
    std::unique_ptr<Verbs> verbs_;
    CommandDispatcher dispatcher_{"guest", logger_};
};

}  // namespace vrdma::device
