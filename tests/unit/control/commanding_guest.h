// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <endian.h>
#include <gtest/gtest.h>
#include <vrdma_check.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>

#include "support/commands.h"
#include "support/driver_queue.h"
#include "support/fake_memory.h"
#include "support/fake_vmm.h"

namespace vrdma::test {

// A guest, with its VMM, that has a control queue and calls verbs.
class CommandingGuest {
  public:
    explicit CommandingGuest(const std::string& socket) : vmm_(socket) {
        const uint64_t features = vmm_.negotiate();
        EXPECT_TRUE(vmm_.share(memory_));
        control_ = DriverQueue::create(memory_, 16, features);
        vmm_.start_queue(VRDMA_VQ_CONTROL, *control_);
    }

    // The handle of a new user context.
    uint32_t alloc_ucontext() {
        return le32toh(
            call<vrdma_rsp_handle>(make_command<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_UCONTEXT)).handle);
    }
    void dealloc_ucontext(uint32_t uctx) {
        auto request = make_command<vrdma_cmd_handle>(VRDMA_CMD_DEALLOC_UCONTEXT);
        request.handle = htole32(uctx);
        call<vrdma_rsp_empty>(request);
    }

  private:
    // The answer to a verb that succeeds.
    template <typename Response, typename Request>
    Response call(const Request& request) {
        const auto answer =
            control_->transact(std::as_bytes(std::span(&request, 1)), sizeof(Response));
        Response response{};
        std::memcpy(&response, answer.data(), std::min(answer.size(), sizeof(response)));
        EXPECT_EQ(response.hdr.status, 0U);
        return response;
    }

    FakeMemory memory_;
    FakeVmm vmm_;
    std::unique_ptr<DriverQueue> control_;
};

}  // namespace vrdma::test
