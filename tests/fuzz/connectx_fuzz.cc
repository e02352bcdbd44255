// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A guest that writes its rings of a modelled ConnectX as it likes: work requests, receive
// requests, doorbell records and doorbells, of queue pairs of each service, and frames from the
// network.
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "rings.h"

namespace vrdma::connectx {
namespace {

constexpr size_t kPairs = 3;
constexpr uint64_t kSqDoorbell = 0x800;

void require(bool condition) {
    if (!condition) {
        __builtin_trap();
    }
}

class Target {
  public:
    Target() {
        // Memory of another guest of the adapter, which no key of the program names.
        std::fill_n(machine_.memory(secret_), kFakePage, kSecret);
        pairs_[0].connect(pairs_[0].here());
        pairs_[1].connect(pairs_[1].here(true));
        pairs_[2].connect({});
    }

    // A request whose parts are mostly right.
    void request(FuzzedDataProvider& input) {
        constexpr std::array<uint8_t, 10> kOpcodes = {
            MLX5_OPCODE_NOP,       MLX5_OPCODE_SEND_INVAL, MLX5_OPCODE_RDMA_WRITE,
            MLX5_OPCODE_SEND,      MLX5_OPCODE_SEND_IMM,   MLX5_OPCODE_RDMA_WRITE_IMM,
            MLX5_OPCODE_RDMA_READ, MLX5_OPCODE_ATOMIC_CS,  MLX5_OPCODE_ATOMIC_FA,
            MLX5_OPCODE_UMR};
        QueuePair& pair = any(input);
        Request request(input.ConsumeBool() ? input.PickValueInArray(kOpcodes)
                                            : input.ConsumeIntegral<uint8_t>());
        request.flags = input.ConsumeIntegral<uint8_t>();
        request.immediate = input.ConsumeBool() ? machine_.key : input.ConsumeIntegral<uint32_t>();
        if (&pair == &pairs_[2]) {
            FakePath path = pairs_[2].here(input.ConsumeBool());
            path.lid = input.ConsumeBool() ? path.lid : input.ConsumeIntegral<uint16_t>();
            request.datagram(path, input.ConsumeIntegral<uint8_t>());
        }
        for (int parts = input.ConsumeIntegralInRange<int>(0, 4); parts > 0; --parts) {
            part(input, request);
        }
        if (input.ConsumeIntegralInRange<int>(0, 7) == 0) {
            request.segments = input.ConsumeIntegral<uint8_t>();
            request.index = input.ConsumeIntegral<uint16_t>();
        }
        pair.write(request);
        if (input.ConsumeBool()) {
            pair.ring();
        }
    }

    // Any bytes in a ring, or in a doorbell record.
    void bytes(FuzzedDataProvider& input) {
        const QueuePair& pair = any(input);
        constexpr size_t kRings = size_t{2} * 16 * kBlock;
        const bool record = input.ConsumeBool();
        const auto what = input.ConsumeBytes<uint8_t>(record ? 8 : 64);
        const size_t most = record ? 8 : kRings;
        const auto at = input.ConsumeIntegralInRange<size_t>(0, most - what.size());
        machine_.put((record ? pair.qp.record : pair.qp.rq) + at, what);
    }

    void receive(FuzzedDataProvider& input) {
        any(input).post_receive(address(input), key(input), length(input));
    }

    void doorbell(FuzzedDataProvider& input) {
        const QueuePair& pair = any(input);
        const uint64_t place =
            input.ConsumeBool() ? kSqDoorbell : input.ConsumeIntegral<uint16_t>() % kFakePage & ~7U;
        const uint64_t value =
            input.ConsumeBool() ? uint64_t{pair.qp.number} << 8 : input.ConsumeIntegral<uint64_t>();
        fake_host_write(machine_.host, uint64_t{machine_.uar} * kFakePage + place, value, 8);
    }

    // A burst of BlueFlame, for the queue pair's doorbell.
    void burst(FuzzedDataProvider& input) {
        const QueuePair& pair = any(input);
        auto bytes = input.ConsumeBytes<uint8_t>(kBlock);
        bytes.resize(kBlock);
        const uint64_t first = uint64_t{pair.qp.number} << 8 | 3;
        for (uint64_t at = 0; at < kBlock; at += 8) {
            uint64_t value;
            std::memcpy(&value, bytes.data() + at, sizeof(value));
            fake_host_write(machine_.host, uint64_t{machine_.uar} * kFakePage + kSqDoorbell + at,
                            at == 0 ? first | (value & ~uint64_t{0xffffffff}) : value, 8);
        }
    }

    void consume(FuzzedDataProvider& input) {
        QueuePair& pair = any(input);
        if (input.ConsumeBool()) {
            while (pair.poll()) {
            }
        } else {
            machine_.put(pair.cq.record, input.ConsumeBytes<uint8_t>(4));
        }
    }

    void run() {
        require(fake_host_run());
        const uint8_t* secret = machine_.memory(secret_);
        require(
            std::all_of(secret, secret + kFakePage, [](uint8_t byte) { return byte == kSecret; }));
    }

  private:
    static constexpr uint8_t kSecret = 0xa7;

    QueuePair& any(FuzzedDataProvider& input) {
        return pairs_.at(input.ConsumeIntegralInRange<size_t>(0, kPairs - 1));
    }
    uint64_t address(FuzzedDataProvider& input) const {
        return input.ConsumeIntegralInRange<int>(0, 7) != 0
                   ? machine_.data +
                         input.ConsumeIntegralInRange<uint64_t>(0, uint64_t{9} * kFakePage)
                   : input.ConsumeIntegral<uint64_t>();
    }
    uint32_t key(FuzzedDataProvider& input) const {
        return input.ConsumeIntegralInRange<int>(0, 7) != 0 ? machine_.key
               : input.ConsumeBool()                        ? foreign_
                                                            : input.ConsumeIntegral<uint32_t>();
    }
    static uint32_t length(FuzzedDataProvider& input) {
        return input.ConsumeIntegralInRange<int>(0, 7) != 0
                   ? input.ConsumeIntegralInRange<uint32_t>(0, 6000)
                   : input.ConsumeIntegral<uint32_t>();
    }
    void part(FuzzedDataProvider& input, Request& request) const {
        switch (input.ConsumeIntegralInRange<int>(0, 4)) {
            case 0:
                request.remote(address(input), key(input));
                break;
            case 1:
                request.atomic(input.ConsumeIntegral<uint64_t>(),
                               input.ConsumeIntegral<uint64_t>());
                break;
            case 2: {
                const auto bytes = input.ConsumeBytes<uint8_t>(40);
                request.inline_data(bytes, input.ConsumeIntegralInRange<uint32_t>(0, 80));
                break;
            }
            case 3:
                request.raw(input.ConsumeBytes<uint8_t>(64));
                break;
            default:
                request.data(address(input), key(input), length(input));
                break;
        }
    }

    Machine machine_{1};
    const uint64_t secret_ = fake_host_pages(machine_.host, 1);
    const uint32_t foreign_ =
        fake_host_key(machine_.host, fake_host_pd(machine_.host), secret_, 1, kFakeKeyAccess);
    std::array<QueuePair, kPairs> pairs_ = {machine_.make(kRc, 3), machine_.make(kUc, 3),
                                            machine_.make(kUd, 3)};
};

}  // namespace
}  // namespace vrdma::connectx

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    FuzzedDataProvider input(data, size);
    vrdma::connectx::Target target;
    while (input.remaining_bytes() != 0) {
        switch (input.ConsumeIntegralInRange<int>(0, 9)) {
            case 0:
                target.bytes(input);
                break;
            case 1:
                target.doorbell(input);
                break;
            case 2:
                target.burst(input);
                break;
            case 3:
                target.consume(input);
                break;
            case 4:
            case 5:
                target.receive(input);
                break;
            case 6:
                target.run();
                break;
            default:
                target.request(input);
                break;
        }
    }
    target.run();
    return 0;
}
