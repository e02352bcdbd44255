// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Work requests as a hostile guest leaves them in its rings: first through the parsers
// alone, then through an engine with a real peer.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "memory/guest_memory.h"
#include "rnic/embedded/embedded_rnic.h"
#include "rnic/embedded/rings/work_request.h"
#include "rxe_client.h"
#include "support/captured_log.h"
#include "support/fake_memory.h"

namespace {

using namespace vrdma;
using namespace vrdma::embedded;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

constexpr std::array kTypes{QpType::kRc, QpType::kUc, QpType::kUd, QpType::kGsi};
constexpr uint32_t kFastPages = 4;
constexpr uint64_t kRamStart = 0x10000;
constexpr uint64_t kRamSize = 0x8000;
constexpr uint64_t kDmaBase = 0xffff888000000000;

void parse(QpType type, const std::byte* data, size_t size) {
    constexpr SendLimits kLimits{.max_sge = 4, .max_inline = 64};
    std::array<std::byte, 512> element{};
    std::memcpy(element.data(), data, std::min(size, element.size()));
    SendRequest send;
    if (parse_send_request(element, kLimits, type, send) == WcStatus::kSuccess) {
        require(send.length <= kMaxMessage);
        require(send.is_inline ? send.length <= kLimits.max_inline
                               : send.sge_count <= kLimits.max_sge);
    }
    ReceiveRequest receive;
    if (parse_receive_request(element, kLimits.max_sge, receive) == WcStatus::kSuccess) {
        require(receive.sge_count <= kLimits.max_sge);
    }
    require(receive.list().size() <= kMaxSge);
}

class FuzzClock : public Clock {
  public:
    uint64_t now_ns() override { return now += 1'000'000'000; }
    uint64_t now = 0;
};

// Two guests, connected with each other; one of them is the attacker.
class Engine {
  public:
    Engine() : rnic_(make()), attacker_(*rnic_, "attacker", 1), victim_(*rnic_, "victim", 2) {
        const auto memory = ram_.as_guest_memory();
        attacker_.port->set_memory(memory);
        description_ = memory->translate({kRamStart}, kDescription).value().data;
        fast_.description.push_back(memory->pin({kRamStart}, kDescription).value());
        dma_mr_ = attacker_.get_dma_mr(kAccess, kDmaBase);
        attacker_mr_ = attacker_.reg_mr(attacker_memory_, kAccess);
        victim_mr_ = victim_.reg_mr(victim_memory_, kAccess);
        attacker_cq_ = attacker_.make_cq(15);
        victim_cq_ = victim_.make_cq(15);
        for (QpType type : kTypes) {
            pairs_.emplace_back(attacker_.make_qp(attacker_cq_, attacker_cq_, {.type = type}),
                                victim_.make_qp(victim_cq_, victim_cq_, {.type = type}));
        }
    }

    void run(size_t type, const std::byte* data, size_t size) {
        auto& [attacker, victim] = pairs_[type];
        fast_mr_ = std::move(attacker_.context->alloc_mr(attacker_.pd(), fast_).value());
        rnic::Udata none;
        const uint8_t window_type = size % 2 == 0 ? 1 : 2;
        mw_ = std::move(attacker_.context->alloc_mw(attacker_.pd(), window_type, none).value());
        vrdma::embedded::test::connect(attacker, victim);
        victim.post_recv(1, std::array{victim_mr_.sge(0, 256)});
        for (uint32_t slot = 0; size != 0 && slot <= attacker.send_ring.mask(); ++slot) {
            const size_t chunk = std::min<size_t>(size, kSendWqeHeadSize + 4 * sizeof(Sge));
            std::memcpy(attacker.send_ring.element(slot), data, chunk);
            give_keys(attacker.send_ring.element(slot), data, chunk);
            data += chunk;
            size -= chunk;
            attacker.send_ring.header()->producer_index = slot + 1;
        }
        attacker.ring_doorbell();
        for (int rounds = 0; rnic_->poll_once(); ++rounds) {
            require(rounds < 10'000);
        }
        while (attacker_cq_.poll() || victim_cq_.poll()) {
        }
        const rnic::QpAttributes reset;
        require(attacker.modify(kAttrState, reset).has_value());
        require(victim.modify(kAttrState, reset).has_value());
    }

  private:
    // Bytes of the input, or a list of pages that is nearly right.  There are 100 at least.
    void describe(const std::byte* data) {
        std::memcpy(description_, data, kDescription);
        if (std::to_integer<unsigned>(data[99]) % 2 != 0) {
            return;
        }
        const auto number = [data](size_t at) { return std::to_integer<uint64_t>(data[at]); };
        const vrdma_fast_reg header{
            .iova = number(60) << 4,
            .length = 1 + (number(61) << 6),
            .page_size = 4096,
            .page_count = static_cast<uint32_t>(number(62) % (kFastPages + 2))};
        std::memcpy(description_, &header, sizeof(header));
        for (size_t i = 0; i < kFastPages; ++i) {
            const uint64_t page = kRamStart + (number(64 + i) % 10 << 12);
            std::memcpy(description_ + sizeof(header) + i * sizeof(page), &page, sizeof(page));
        }
    }

    // Valid keys are more than a fuzzer can guess; what it does with them is its own.
    void give_keys(std::byte* element, const std::byte* data, size_t size) {
        if (size < kSendWqeHeadSize) {
            return;
        }
        uint32_t opcode;
        std::memcpy(&opcode, element + offsetof(rxe_send_wr, opcode), sizeof(opcode));
        const uint32_t key = fast_mr_->rkey() | std::to_integer<uint32_t>(data[8]);
        // The window's key as if it was bound once or twice before.
        const uint32_t window = mw_->rkey() + std::to_integer<uint32_t>(data[8]) % 4;
        if (opcode == VRDMA_WR_REG_MR) {
            std::memcpy(element + offsetof(rxe_send_wr, wr) + offsetof(vrdma_wr_reg, key), &key,
                        sizeof(key));
            describe(data + 64);
        } else if (opcode == static_cast<uint32_t>(WrOpcode::kLocalInvalidate)) {
            const uint32_t invalidated = std::to_integer<unsigned>(data[9]) % 2 == 0 ? key : window;
            std::memcpy(element + offsetof(rxe_send_wr, ex), &invalidated, sizeof(invalidated));
        } else if (opcode == static_cast<uint32_t>(WrOpcode::kBindWindow)) {
            const uint32_t lkey = attacker_mr_.lkey();
            std::memcpy(element + offsetof(rxe_send_wr, wr.mw.mr_lkey), &lkey, sizeof(lkey));
            std::memcpy(element + offsetof(rxe_send_wr, wr.mw.mw_rkey), &window, sizeof(window));
            if (std::to_integer<unsigned>(data[10]) % 2 == 0) {
                std::memcpy(element + offsetof(rxe_send_wr, wr.mw.addr), &attacker_mr_.iova,
                            sizeof(attacker_mr_.iova));
            }
        }
        if (size <= kSendWqeHeadSize + sizeof(Sge)) {
            return;
        }
        auto sge = attacker_mr_.sge(0, 64);
        switch (std::to_integer<unsigned>(data[9]) % 4) {
            case 0:
                sge = {std::to_integer<uint64_t>(data[10]) << 4, 64, key};
                break;
            case 1:
                sge = {kDmaBase + (std::to_integer<uint64_t>(data[10]) << 12), 64, dma_mr_.lkey()};
                break;
            default:
                break;
        }
        std::memcpy(element + kSendWqeHeadSize, &sge, sizeof(sge));
    }

    static constexpr size_t kDescription = sizeof(vrdma_fast_reg) + kFastPages * sizeof(uint64_t);
    static constexpr uint32_t kAccess = kAccessLocalWrite | kAccessRemoteWrite | kAccessRemoteRead |
                                        kAccessRemoteAtomic | kAccessMwBind;
    static std::unique_ptr<EmbeddedRnic> make() {
        EmbeddedConfig config;
        config.threads = 0;
        config.clock = std::make_shared<FuzzClock>();
        return make_embedded_rnic(config, vrdma::test::silent_logger());
    }

    std::unique_ptr<EmbeddedRnic> rnic_;
    std::vector<std::byte> attacker_memory_ = std::vector<std::byte>(4096);
    std::vector<std::byte> victim_memory_ = std::vector<std::byte>(4096);
    vrdma::test::FakeMemory ram_{kRamSize, kRamStart};
    rnic::FastMrAttributes fast_{.max_pages = kFastPages, .description = {}};
    std::byte* description_ = nullptr;
    vrdma::embedded::test::Guest attacker_;
    vrdma::embedded::test::Guest victim_;
    vrdma::embedded::test::ClientMr attacker_mr_;
    vrdma::embedded::test::ClientMr victim_mr_;
    vrdma::embedded::test::ClientMr dma_mr_;
    std::unique_ptr<rnic::MemoryRegion> fast_mr_;
    std::unique_ptr<rnic::MemoryWindow> mw_;
    vrdma::embedded::test::ClientCq attacker_cq_;
    vrdma::embedded::test::ClientCq victim_cq_;
    std::vector<std::pair<vrdma::embedded::test::ClientQp, vrdma::embedded::test::ClientQp>> pairs_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 1) {
        return 0;
    }
    static Engine engine;
    const size_t type = data[0] % kTypes.size();
    const auto* bytes = reinterpret_cast<const std::byte*>(data + 1);
    parse(kTypes[type], bytes, size - 1);
    engine.run(type, bytes, size - 1);
    return 0;
}
