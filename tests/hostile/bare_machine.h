// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <linux/virtio_config.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "device/command_dispatcher.h"
#include "device/shm/doorbell_area.h"
#include "device/verbs/verbs.h"
#include "hostile/guest_device.h"
#include "rnic/embedded/embedded_rnic.h"
#include "support/captured_log.h"
#include "support/driver_queue.h"
#include "support/fake_backend_requests.h"
#include "support/fake_memory.h"
#include "support/recording_sink.h"
#include "support/signaller.h"
#include "vhost/rings/virtqueue.h"

namespace vrdma::hostile {

// Ends the program, as fuzzing wants it, unless the condition holds.
inline void require(bool holds, int line = __builtin_LINE()) {
    if (!holds) {
        std::fprintf(stderr, "line %d does not hold\n", line);
        std::abort();
    }
}

// A shared memory region into which the device maps at once.
class BareShmMapper : public device::ShmMapper {
  public:
    static constexpr uint64_t kShm = uint64_t{4} << 20;

    BareShmMapper() : region_(kShm, PROT_READ | PROT_WRITE) {}

    Result<uint64_t> map(const device::ShmSource& source) override {
        const uint64_t length = source.length;
        uint64_t at = 0;
        for (const auto& [offset, size] : mapped_) {
            if (offset - at >= length) {
                break;
            }
            at = offset + size;
        }
        if (length > kShm || at > kShm - length) {
            return fail(ENOMEM);
        }
        const auto asked = request(at, source.fd_offset, length);
        if (const int error = region_.map(asked, source.fd); error != 0) {
            return fail(error);
        }
        mapped_[at] = length;
        return at;
    }
    // The range alone: what an earlier process had there is of no use to the tests.
    Result<void> adopt(uint64_t offset, uint64_t length) override {
        const auto next = mapped_.lower_bound(offset);
        const bool fits =
            length != 0 && offset <= kShm && length <= kShm - offset &&
            (next == mapped_.end() || next->first - offset >= length) &&
            (next == mapped_.begin() || offset - std::prev(next)->first >= std::prev(next)->second);
        if (!fits) {
            return fail(EINVAL);
        }
        mapped_[offset] = length;
        return {};
    }
    void unmap(uint64_t offset, uint64_t length) override {
        require(mapped_.contains(offset) && mapped_[offset] == length);
        mapped_.erase(offset);
        require(region_.unmap(request(offset, 0, length)) == 0);
    }

    std::span<std::byte> data() { return {region_.data(), kShm}; }

  private:
    static vhost::ShmemMapping request(uint64_t at, uint64_t fd_offset, uint64_t length) {
        return {.region = VRDMA_SHM_ID,
                .padding = {},
                .fd_offset = fd_offset,
                .region_offset = at,
                .length = length,
                .flags = vhost::kShmemWritable};
    }

    test::FakeShm region_;
    std::map<uint64_t, uint64_t> mapped_;  // lengths by offset
};

// A machine without a VMM: the control queue, the dispatcher, the verbs and a port of an RNIC whose
// work its owner does.
class BareMachine : public GuestDevice {
  public:
    BareMachine(embedded::EmbeddedRnic& rnic, const std::string& name)
        : budgets_(name, {.registered_bytes = uint64_t{64} << 20}, rnic.attributes(),
                   test::silent_logger()),
          port_(std::move(rnic.open_port(name, sink_).value())),
          request_(memory_.allocate(kRequestRoom)),
          answer_(memory_.allocate(kAnswerRoom)),
          dispatcher_(name, test::silent_logger()) {
        require(
            queue_.set_up(driver_->layout(), driver_->initial_base(), guest_memory_).has_value());
        port_->set_doorbells(doorbells_.area(), -1);
        port_->set_memory(guest_memory_);
        port_->set_budgets(budgets_.of_port());
        verbs_ = std::make_unique<device::Verbs>(
            device::Verbs::Options{.budgets = budgets_,
                                   .attributes = rnic.attributes(),
                                   .udata_pointers = rnic.udata_pointers()},
            *port_, shm_, device::DoorbellMemory{doorbells_.fd(), doorbells_.length()},
            [this] { return guest_memory_; });
    }
    ~BareMachine() override { queue_.tear_down(); }
    BareMachine(const BareMachine&) = delete;
    BareMachine& operator=(const BareMachine&) = delete;

    std::vector<std::byte> execute(std::span<const std::byte> request, size_t room) override {
        if (broken_) {
            return {};
        }
        const size_t length = std::min<size_t>(request.size(), kRequestRoom);
        const size_t answer = std::min<size_t>(room, kAnswerRoom);
        std::ranges::copy(request.first(length), memory_.host(request_, kRequestRoom));
        driver_->add({{request_, static_cast<uint32_t>(length)},
                      {answer_, static_cast<uint32_t>(answer), true}});
        auto popped = queue_.pop();
        if (!popped || !*popped) {
            broken_ = true;
            return {};
        }
        vhost::DescriptorChain chain = std::move(**popped);
        const auto outcome = dispatcher_.execute(chain, *verbs_);
        require(outcome.written <= answer);
        queue_.push(std::move(chain), outcome.written);
        broken_ = !driver_->take_used().has_value();
        return memory_.load(answer_, outcome.written);
    }
    std::span<std::byte> shm() override { return shm_.data(); }
    test::FakeMemory& memory() override { return memory_; }
    const memory::GuestMemory& guest_memory() const { return *guest_memory_; }
    void kick_doorbells() override {}

    device::Verbs& verbs() { return *verbs_; }

  private:
    static constexpr uint64_t kRam = uint64_t{1} << 20;
    static constexpr uint32_t kRequestRoom = 64 * 1024;
    static constexpr uint32_t kAnswerRoom = 16 * 1024;

    test::FakeMemory memory_{kRam};
    std::shared_ptr<const memory::GuestMemory> guest_memory_ = memory_.as_guest_memory();
    BareShmMapper shm_;
    test::RecordingSink sink_;
    device::DoorbellArea doorbells_;
    device::GuestBudgets budgets_;
    std::unique_ptr<rnic::Port> port_;
    std::unique_ptr<device::Verbs> verbs_;
    uint64_t request_;
    uint64_t answer_;
    std::unique_ptr<test::DriverQueue> driver_ =
        test::DriverQueue::create(memory_, 16, vhost::bit(VIRTIO_F_VERSION_1));
    vhost::Virtqueue queue_{VRDMA_VQ_CONTROL, test::signaller(), test::silent_logger()};
    device::CommandDispatcher dispatcher_;
    bool broken_ = false;  // the control queue: an attacker's own RDMA may overwrite it
};

}  // namespace vrdma::hostile
