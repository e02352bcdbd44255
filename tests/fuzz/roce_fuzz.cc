// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Frames from a hostile network to the transport of tests/connectx/roce: as bytes, as headers of
// InfiniBand with a variant CRC that is right, and as packets whose CRCs and addresses are right,
// so that requester and responder of each service see them.
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "fake_network.h"
#include "ib_frame.h"
#include "icrc.h"

namespace vrdma::roce {
namespace {

constexpr uint64_t kPastTimers = 1'000'000'000'000;
constexpr size_t kRequests = 40;
constexpr size_t kLrhAt = 14;
constexpr size_t kLrhBytes = 8;
constexpr size_t kBthBytes = 12;

void require(bool condition) {
    if (!condition) {
        __builtin_trap();
    }
}

struct Target {
    explicit Target(FuzzedDataProvider& input)
        : link(kLinks.at(input.ConsumeIntegralInRange<size_t>(0, kLinks.size() - 1))),
          device(network, 1, link),
          peer(network, 2, link) {
        key = device.add_key(
            0, 8192, IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC);
        // What the device sends is lost.
        network.set_detour([](const Bytes&) {});
        uint32_t qpn = 0x40;
        for (const auto type :
             {IBV_QPT_RC, IBV_QPT_UC, IBV_QPT_UD, IBV_QPT_XRC_SEND, IBV_QPT_XRC_RECV}) {
            QueuePair& qp = device.make(qpn++, type);
            RoceQpAttributes& attributes = *roce_qp_attributes(qp.qp);
            attributes = usual_attributes(device.path_to(peer), 0x99);
            attributes.mtu = 256;
            attributes.send_psn = attributes.receive_psn = 0xfffff0;
            attributes.retry_count = 7;
            for (const auto state : {IBV_QPS_INIT, IBV_QPS_RTR, IBV_QPS_RTS}) {
                require(roce_qp_set_state(qp.qp, state));
            }
            pairs.push_back(&qp);
        }
    }

    void packet(FuzzedDataProvider& input) {
        const QueuePair& qp = *pairs[input.ConsumeIntegralInRange<size_t>(0, pairs.size() - 1)];
        constexpr std::array<uint8_t, 5> kServices = {IBV_OPCODE_RC, IBV_OPCODE_UC, IBV_OPCODE_UD,
                                                      kRoceOpcodeXrc, kRoceOpcodeXrc};
        RocePacket packet{};
        packet.opcode = static_cast<uint8_t>(kServices[qp.qpn - 0x40] |
                                             input.ConsumeIntegralInRange<uint8_t>(0, 0x17));
        packet.ack_request = input.ConsumeBool();
        packet.pkey = 0xffff;
        packet.dest_qpn = qp.qpn;
        packet.psn = (input.ConsumeBool() ? roce_qp_receive_psn(qp.qp) : roce_qp_send_psn(qp.qp)) +
                     input.ConsumeIntegralInRange<uint32_t>(0, 8) - 4;
        packet.remote_address = input.ConsumeIntegralInRange<uint64_t>(0, 8200) & ~uint64_t{3};
        packet.rkey = key + (input.ConsumeIntegralInRange<int>(0, 9) == 0);
        packet.dma_length = input.ConsumeBool() ? input.ConsumeIntegral<uint32_t>()
                                                : input.ConsumeIntegralInRange<uint32_t>(0, 2000);
        packet.syndrome = input.ConsumeIntegral<uint8_t>();
        packet.qkey = 0x11111111;
        packet.invalidate_rkey = key + input.ConsumeBool();
        packet.size = input.ConsumeBool() ? 256 : input.ConsumeIntegralInRange<size_t>(0, 300);
        if (roce_opcode_parts(packet.opcode) == 0) {
            return;
        }
        std::vector<uint8_t> bytes(kRoceMaxPacket);
        bytes.resize(roce_packet_finish(&packet, bytes.data()));
        const auto frame = frame_of(bytes);
        network.deliver(frame.data(), frame.size());
    }

    std::vector<uint8_t> frame_of(const std::vector<uint8_t>& packet) const {
        const RoceAddress address = peer.path_to(device);
        std::vector<uint8_t> frame(std::max<size_t>(kRoceMaxFrame, kIbMaxFrame));
        const auto build = is_ethernet(link) ? roce_frame_build : ib_frame_build;
        frame.resize(build(&address, packet.data(), packet.size(), frame.data()));
        return frame;
    }

    // A header of InfiniBand with a variant CRC that is right, and perhaps an invariant one.
    static void headers(FuzzedDataProvider& input) {
        auto frame = input.ConsumeBytes<uint8_t>(input.ConsumeIntegralInRange<size_t>(0, 150));
        frame.resize(std::max(frame.size(), kLrhAt + kLrhBytes + sizeof(uint16_t)));
        frame[kLrhAt - 2] = kIbEtherType >> 8;
        frame[kLrhAt - 1] = kIbEtherType & 0xff;
        frame[kLrhAt] = 0;
        const size_t most = frame.size() - kLrhAt - sizeof(uint16_t);
        frame[kLrhAt + 5] = static_cast<uint8_t>(most / 4);
        const bool global = (frame[kLrhAt + 1] & 3) == 3;
        const size_t route = kLrhBytes + (global ? size_t{kRoceNetworkHeaderBytes} : 0);
        const size_t covered = most / 4 * 4;
        if (covered >= route + kBthBytes + kRoceIcrcBytes && input.ConsumeBool()) {
            const size_t size = covered - route - kRoceIcrcBytes;
            const uint32_t crc = ib_icrc(frame.data() + kLrhAt, global, size);
            for (size_t i = 0; i < kRoceIcrcBytes; ++i) {
                frame[kLrhAt + route + size + i] = static_cast<uint8_t>(crc >> 8 * i);
            }
        }
        const uint16_t crc = ib_vcrc(frame.data() + kLrhAt, covered);
        frame[kLrhAt + covered] = static_cast<uint8_t>(crc);
        frame[kLrhAt + covered + 1] = static_cast<uint8_t>(crc >> 8);
        const uint8_t* packet = nullptr;
        size_t size = 0;
        RoceAddress address{};
        if (ib_frame_parse(frame.data(), frame.size(), &address, &packet, &size) ==
            kRoceFrameGood) {
            require(ib_address_is_valid(&address));
            require(packet == frame.data() + kLrhAt + route &&
                    size == covered - route - kRoceIcrcBytes);
        }
    }

    void post(FuzzedDataProvider& input) {
        QueuePair& qp = *pairs[input.ConsumeIntegralInRange<size_t>(0, pairs.size() - 1)];
        if (qp.sends.size() > kRequests || qp.receives.size() > kRequests) {
            return;
        }
        if (input.ConsumeBool()) {
            qp.post_receive(input.ConsumeIntegralInRange<size_t>(0, 2000));
            return;
        }
        const auto opcode = static_cast<enum ibv_wr_opcode>(
            input.ConsumeIntegralInRange<int>(IBV_WR_RDMA_WRITE, IBV_WR_SEND_WITH_INV));
        Send& send = qp.post(opcode, Bytes(input.ConsumeIntegralInRange<size_t>(8, 2000)));
        send.address = device.path_to(peer);
        roce_qp_kick(qp.qp);
    }

    // Each request ends at most once, whatever came.
    void check() const {
        for (const QueuePair* qp : pairs) {
            const auto sends = std::count_if(qp->completions.begin(), qp->completions.end(),
                                             [](const Completion& each) { return each.send; });
            require(static_cast<size_t>(sends) <= qp->next_send);
            require(qp->completions.size() - static_cast<size_t>(sends) <= qp->next_receive);
            require(qp->moved <= 2);
        }
    }

    Link link;
    Network network;
    Device device;
    Device peer;
    uint32_t key = 0;
    std::vector<QueuePair*> pairs;
};

}  // namespace
}  // namespace vrdma::roce

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    FuzzedDataProvider input(data, size);
    vrdma::roce::Target target(input);
    uint64_t now = 1;
    while (input.remaining_bytes() != 0) {
        switch (input.ConsumeIntegralInRange<int>(0, 6)) {
            case 0: {
                // deliver() looks at the destination's last byte.
                auto frame =
                    input.ConsumeBytes<uint8_t>(input.ConsumeIntegralInRange<size_t>(0, 200));
                frame.resize(std::max<size_t>(frame.size(), size_t{kRoceMacBytes} * 2));
                frame[0] = 0;
                frame[kRoceMacBytes - 1] = 1;
                target.network.deliver(frame.data(), frame.size());
                break;
            }
            case 6:
                vrdma::roce::Target::headers(input);
                break;
            case 1:
                target.post(input);
                break;
            case 2:
                now += input.ConsumeBool() ? vrdma::roce::kPastTimers : 1;
                target.network.step(now);
                break;
            default:
                target.packet(input);
                target.network.step(now);
                break;
        }
        target.check();
    }
    return 0;
}
