// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Two hostile guests at once, from their control queues down to a live embedded RNIC, with two
// honest guests beside.  The input decides who does what and when the RNIC works.  Whatever that
// is: the honest guests' memory stays as it is, their transfers arrive, and in the end all that the
// hostile ones held is free.
#include <fuzzer/FuzzedDataProvider.h>
#include <linux/virtio_config.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "device/command_dispatcher.h"
#include "device/shm/doorbell_area.h"
#include "device/verbs/verbs.h"
#include "hostile/attacker.h"
#include "rnic/embedded/embedded_rnic.h"
#include "rxe_client.h"
#include "support/captured_log.h"
#include "support/driver_queue.h"
#include "support/fake_backend_requests.h"
#include "support/fake_memory.h"
#include "support/recording_sink.h"
#include "support/signaller.h"
#include "vhost/rings/virtqueue.h"

namespace {

using namespace vrdma;
using embedded::test::ClientCq;
using embedded::test::ClientMr;
using embedded::test::ClientQp;

constexpr uint64_t kRam = uint64_t{1} << 20;
constexpr uint64_t kShm = uint64_t{4} << 20;
constexpr uint32_t kRequestRoom = 64 * 1024;
constexpr uint32_t kAnswerRoom = 16 * 1024;
constexpr int kMaxSteps = 400;

void require(bool holds, int line = __builtin_LINE()) {
    if (!holds) {
        std::fprintf(stderr, "line %d does not hold\n", line);
        std::abort();
    }
}

class FuzzClock : public embedded::Clock {
  public:
    uint64_t now_ns() override { return now_ += 1'000'000; }

  private:
    uint64_t now_ = 0;
};

// The input, in parts of one byte as a rule: an input has many small decisions.
class InputChoices : public hostile::Choices {
  public:
    explicit InputChoices(FuzzedDataProvider& input) : input_(input) {}

    uint64_t number() override {
        const auto byte = input_.ConsumeIntegral<uint8_t>();
        // Large numbers come seldom; most choices are among few.
        return byte < 0xf0 ? byte : input_.ConsumeIntegral<uint64_t>();
    }

  private:
    FuzzedDataProvider& input_;
};

// A shared memory region into which the device maps at once.
class ShmMapper : public device::ShmMapper {
  public:
    ShmMapper() : region_(kShm, PROT_READ | PROT_WRITE) {}

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

// A machine without a VMM: the control queue, the dispatcher, the verbs and a port.
class Machine : public hostile::GuestDevice {
  public:
    Machine(embedded::EmbeddedRnic& rnic, const std::string& name)
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
    ~Machine() override { queue_.tear_down(); }
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

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
    void kick_doorbells() override {}

  private:
    test::FakeMemory memory_{kRam};
    std::shared_ptr<const memory::GuestMemory> guest_memory_ = memory_.as_guest_memory();
    ShmMapper shm_;
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

// An honest guest: memory, a CQ and a connected queue pair.
struct Honest {
    Honest(embedded::EmbeddedRnic& rnic, const std::string& name, uint8_t address)
        : guest(rnic, name, address),
          mr(guest.reg_mr(memory, embedded::kAccessLocalWrite | embedded::kAccessRemoteWrite)),
          cq(guest.make_cq(15)),
          qp(guest.make_qp(cq, cq)) {}

    embedded::test::Guest guest;
    std::vector<std::byte> memory = std::vector<std::byte>(8192);
    ClientMr mr;
    ClientCq cq;
    ClientQp qp;
};

class Scene {
  public:
    Scene() : rnic_(make()), a_(*rnic_, "honest a", 1), b_(*rnic_, "honest b", 2) {
        embedded::test::connect(a_.qp, b_.qp);
    }

    void run(FuzzedDataProvider& input) {
        transfer(0);
        const auto before = rnic_->counters();
        const std::vector<std::byte> memory_of_a = a_.memory;
        const std::vector<std::byte> memory_of_b = b_.memory;
        {
            InputChoices choices(input);
            Machine first(*rnic_, "hostile a");
            Machine second(*rnic_, "hostile b");
            hostile::Attacker attackers[]{{first, choices}, {second, choices}};
            for (auto& attacker : attackers) {
                attacker.aim_at(a_.qp.number(), a_.guest.gid());
                attacker.aim_at(b_.qp.number(), b_.guest.gid());
            }
            for (int steps = 0; input.remaining_bytes() != 0 && steps < kMaxSteps; ++steps) {
                attackers[choices.below(2)].step();
                for (uint64_t slices = choices.below(8); slices != 0; --slices) {
                    rnic_->poll_once();
                }
            }
            require(a_.memory == memory_of_a && b_.memory == memory_of_b);
            transfer(1);
        }
        require(rnic_->counters() == before);
        transfer(2);
    }

  private:
    static std::unique_ptr<embedded::EmbeddedRnic> make() {
        embedded::EmbeddedConfig config;
        config.threads = 0;
        config.clock = std::make_shared<FuzzClock>();
        return embedded::make_embedded_rnic(config, test::silent_logger());
    }

    // One write from a to b, which arrives although others keep the RNIC busy.
    void transfer(unsigned tag) {
        constexpr uint32_t kLength = 512;
        constexpr int kPatience = 200'000;
        for (size_t i = 0; i < kLength; ++i) {
            a_.memory[i] = static_cast<std::byte>(i * 7 + ++fill_ + tag);
        }
        require(a_.qp.post_send({.wr_id = fill_,
                                 .opcode = embedded::WrOpcode::kRdmaWrite,
                                 .remote_address = b_.mr.iova + 4096,
                                 .rkey = b_.mr.rkey(),
                                 .sges = {a_.mr.sge(0, kLength)}}));
        std::optional<ib_uverbs_wc> wc;
        for (int slices = 0; !wc; ++slices) {
            require(slices < kPatience);
            rnic_->poll_once();
            wc = a_.cq.poll();
        }
        require(wc->wr_id == fill_ && wc->status == 0);
        require(
            std::equal(a_.memory.begin(), a_.memory.begin() + kLength, b_.memory.begin() + 4096));
    }

    std::unique_ptr<embedded::EmbeddedRnic> rnic_;
    Honest a_;
    Honest b_;
    uint64_t fill_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static Scene scene;
    FuzzedDataProvider input(data, size);
    scene.run(input);
    return 0;
}
