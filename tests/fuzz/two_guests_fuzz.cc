// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Two hostile guests at once, from their control queues down to a live embedded RNIC, with two
// honest guests beside.  The input decides who does what and when the RNIC works.  Whatever that
// is: the honest guests' memory stays as it is, their transfers arrive, and in the end all that the
// hostile ones held is free.
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "hostile/attacker.h"
#include "hostile/bare_machine.h"
#include "rnic/embedded/embedded_rnic.h"
#include "rxe_client.h"
#include "support/captured_log.h"

namespace {

using namespace vrdma;
using embedded::test::ClientCq;
using embedded::test::ClientMr;
using embedded::test::ClientQp;
using hostile::require;

constexpr int kMaxSteps = 400;

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
            hostile::BareMachine first(*rnic_, "hostile a");
            hostile::BareMachine second(*rnic_, "hostile b");
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
