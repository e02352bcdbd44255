// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The transport against the kernel's rxe, which nobody here wrote: each operation, each way, on
// frames that pass through a tap device.
//
//   roce_against_rxe RXE TAP [GTEST OPTIONS]
//
// RXE is an rxe device on the tap device TAP, which has the addresses of fake_network's device 1
// and knows those of device 2 as neighbours (tests/lab/roce_wire.py).  VRDMA_ROCE_FRAMES=FILE
// writes each frame to a file, a line of hexadecimal digits each.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "fake_network.h"
#include "roce_faults.h"
#include "rxe_peer.h"

namespace vrdma::roce {
namespace {

// What main() opens and all tests use.
Tap* tap = nullptr;
Rxe* rxe = nullptr;

constexpr uint64_t kPatience = 20'000'000'000;  // nanoseconds
constexpr int kAll = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ |
                     IBV_ACCESS_REMOTE_ATOMIC;
constexpr uint32_t kQKey = 0x11111111;

uint64_t nanoseconds() {
    return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch() /
                                 std::chrono::nanoseconds(1));
}

// A queue pair of ours and one of rxe, connected.
class AgainstRxe : public testing::TestWithParam<Link> {
  protected:
    AgainstRxe() : ours_(network_, 2, GetParam()), path_(path_between(2, 1, GetParam())) {
        network_.set_detour([this](const Bytes& frame) {
            if (out_ != nullptr) {
                roce_faults_pass(out_, frame.data(), frame.size());
            } else {
                tap->write(frame.data(), frame.size());
            }
        });
        rxe->bytes.assign(kMemory, 0);
        while (!tap->read().empty()) {  // what an earlier test has left
        }
    }
    ~AgainstRxe() override {
        if (theirs_ != nullptr) {
            ibv_destroy_qp(theirs_);
        }
        for (RoceFaults* faults : {out_, in_}) {
            if (faults != nullptr) {
                roce_faults_free(faults);
            }
        }
        for (ibv_wc left{}; ibv_poll_cq(rxe->cq, 1, &left) > 0;) {
        }
    }

    void connect(enum ibv_qp_type type, uint8_t rnr_retry = 7) {
        ibv_qp_init_attr init{};
        init.send_cq = init.recv_cq = rxe->cq;
        init.cap = {.max_send_wr = 128,
                    .max_recv_wr = 128,
                    .max_send_sge = 1,
                    .max_recv_sge = 1,
                    .max_inline_data = 0};
        init.qp_type = type;
        init.sq_sig_all = 1;
        theirs_ = ibv_create_qp(rxe->pd, &init);
        ASSERT_NE(theirs_, nullptr);
        our_pair_ = &ours_.make(0x4321, type);
        RoceQpAttributes& mine = *roce_qp_attributes(our_pair_->qp);
        mine = usual_attributes(path_, theirs_->qp_num);
        mine.rnr_retry = rnr_retry;
        mine.retry_count = 7;
        for (const auto state : {IBV_QPS_INIT, IBV_QPS_RTR, IBV_QPS_RTS}) {
            ASSERT_TRUE(roce_qp_set_state(our_pair_->qp, state));
        }
        connect_theirs(type, rnr_retry);
    }

    void connect_theirs(enum ibv_qp_type type, uint8_t rnr_retry) {
        ibv_qp_attr a{};
        const int index = rxe->gid_index(path_.dgid);
        ASSERT_GE(index, 0) << "the tap device lacks its address";
        const bool datagram = type == IBV_QPT_UD;
        const bool reliable = type == IBV_QPT_RC;
        a.qp_state = IBV_QPS_INIT;
        a.port_num = 1;
        a.qp_access_flags = kAll;
        a.qkey = kQKey;
        ASSERT_EQ(ibv_modify_qp(theirs_, &a,
                                IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
                                    (datagram ? IBV_QP_QKEY : IBV_QP_ACCESS_FLAGS)),
                  0);
        a.qp_state = IBV_QPS_RTR;
        a.path_mtu = IBV_MTU_1024;
        a.dest_qp_num = our_pair_->qpn;
        a.rq_psn = 100;
        a.max_dest_rd_atomic = 4;
        a.min_rnr_timer = 12;
        a.ah_attr.is_global = 1;
        a.ah_attr.port_num = 1;
        a.ah_attr.grh.sgid_index = static_cast<uint8_t>(index);
        a.ah_attr.grh.hop_limit = 64;
        std::memcpy(a.ah_attr.grh.dgid.raw, path_.sgid, kRoceGidBytes);
        ah_ = a.ah_attr;
        ASSERT_EQ(
            ibv_modify_qp(
                theirs_, &a,
                datagram
                    ? IBV_QP_STATE
                    : IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |
                          (reliable ? IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER : 0)),
            0);
        a.qp_state = IBV_QPS_RTS;
        a.sq_psn = 100;
        a.timeout = 14;
        a.retry_cnt = 7;
        a.rnr_retry = rnr_retry;
        a.max_rd_atomic = 4;
        ASSERT_EQ(ibv_modify_qp(theirs_, &a,
                                IBV_QP_STATE | IBV_QP_SQ_PSN |
                                    (reliable ? IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
                                                    IBV_QP_RNR_RETRY | IBV_QP_MAX_QP_RD_ATOMIC
                                              : 0)),
                  0);
    }

    void with_faults(const RoceFaultRates& rates) {
        out_ = roce_faults_new(
            1, &rates, [](void*, const uint8_t* frame, size_t size) { tap->write(frame, size); },
            nullptr);
        in_ = roce_faults_new(
            2, &rates,
            [](void* opaque, const uint8_t* frame, size_t size) {
                static_cast<Network*>(opaque)->deliver(frame, size);
            },
            &network_);
    }

    void step() {
        network_.step(nanoseconds());
        for (int i = 0; i < 64; ++i) {
            const Bytes frame = tap->read();
            if (frame.empty()) {
                break;
            }
            if (in_ != nullptr) {
                roce_faults_pass(in_, frame.data(), frame.size());
            } else {
                network_.deliver(frame.data(), frame.size());
            }
        }
    }

    // Until the condition holds, or patience ends.
    bool until(const std::function<bool()>& condition) {
        const uint64_t end = nanoseconds() + kPatience;
        roce_qp_kick(our_pair_->qp);
        while (!condition()) {
            if (nanoseconds() > end) {
                return false;
            }
            step();
            poll_theirs();
        }
        // What was answered last is still to be sent.
        step();
        return true;
    }

    void poll_theirs() {
        ibv_wc wc{};
        while (ibv_poll_cq(rxe->cq, 1, &wc) > 0) {
            theirs_done_.push_back(wc);
        }
    }

    // What `count` completions of ours and of theirs say.
    void expect_done(size_t ours, size_t theirs) {
        EXPECT_TRUE(until([&] {
            return our_pair_->completions.size() >= ours && theirs_done_.size() >= theirs;
        })) << "ours: "
            << our_pair_->summary() << "; of rxe: " << theirs_done_.size() << " of " << theirs;
        for (const Completion& each : our_pair_->completions) {
            EXPECT_EQ(each.status, IBV_WC_SUCCESS) << ibv_wc_status_str(each.status);
        }
        for (const ibv_wc& each : theirs_done_) {
            EXPECT_EQ(each.status, IBV_WC_SUCCESS) << ibv_wc_status_str(each.status);
        }
    }

    void their_receive(size_t at, size_t size) {
        ibv_sge sge{.addr = reinterpret_cast<uintptr_t>(rxe->bytes.data() + at),
                    .length = static_cast<uint32_t>(size),
                    .lkey = rxe->mr->lkey};
        ibv_recv_wr wr{.wr_id = 0, .next = nullptr, .sg_list = &sge, .num_sge = 1};
        ibv_recv_wr* bad = nullptr;
        ASSERT_EQ(ibv_post_recv(theirs_, &wr, &bad), 0);
    }

    void their_send(enum ibv_wr_opcode opcode, size_t at, size_t size, uint32_t rkey = 0,
                    uint64_t address = 0, uint64_t compare_add = 0, uint64_t swap = 0) {
        ibv_sge sge{.addr = reinterpret_cast<uintptr_t>(rxe->bytes.data() + at),
                    .length = static_cast<uint32_t>(size),
                    .lkey = rxe->mr->lkey};
        ibv_send_wr wr{};
        ibv_send_wr* bad = nullptr;
        wr.opcode = opcode;
        wr.sg_list = &sge;
        wr.num_sge = 1;
        wr.send_flags = IBV_SEND_SIGNALED;
        wr.imm_data = 0x78563412;
        if (theirs_->qp_type == IBV_QPT_UD) {
            wr.wr.ud.ah = ah_handle_;
            wr.wr.ud.remote_qpn = our_pair_->qpn;
            wr.wr.ud.remote_qkey = kQKey;
        } else if (opcode == IBV_WR_ATOMIC_CMP_AND_SWP || opcode == IBV_WR_ATOMIC_FETCH_AND_ADD) {
            wr.wr.atomic.remote_addr = address;
            wr.wr.atomic.rkey = rkey;
            wr.wr.atomic.compare_add = compare_add;
            wr.wr.atomic.swap = swap;
        } else {
            wr.wr.rdma.remote_addr = address;
            wr.wr.rdma.rkey = rkey;
        }
        ASSERT_EQ(ibv_post_send(theirs_, &wr, &bad), 0);
    }

    Send& to_theirs(Send& send, size_t at) const {
        send.what.rkey = rxe->mr->rkey;
        send.what.remote_address = reinterpret_cast<uintptr_t>(rxe->bytes.data() + at);
        return send;
    }

    static Bytes theirs(size_t at, size_t size) {
        const auto begin = rxe->bytes.begin() + static_cast<ptrdiff_t>(at);
        return {begin, begin + static_cast<ptrdiff_t>(size)};
    }

    static void fill_theirs(size_t at, const Bytes& bytes) {
        std::copy(bytes.begin(), bytes.end(), rxe->bytes.begin() + static_cast<ptrdiff_t>(at));
    }

    Network network_;
    Device ours_;
    RoceAddress path_;
    QueuePair* our_pair_ = nullptr;
    ibv_qp* theirs_ = nullptr;
    ibv_ah_attr ah_{};
    ibv_ah* ah_handle_ = nullptr;
    RoceFaults* out_ = nullptr;
    RoceFaults* in_ = nullptr;
    std::vector<ibv_wc> theirs_done_;
};

constexpr size_t kSizes[] = {1, 3, 8, kMtu - 1, kMtu, kMtu + 1, 10 * kMtu + 5, 60 * kMtu};

TEST_P(AgainstRxe, OurSendsArriveThere) {
    connect(IBV_QPT_RC);
    for (const size_t size : kSizes) {
        SCOPED_TRACE(size);
        their_receive(0, size);
        our_pair_->post(size % 2 ? IBV_WR_SEND : IBV_WR_SEND_WITH_IMM, pattern(size))
            .what.immediate[3] = 7;
        expect_done(our_pair_->sends.size(), our_pair_->sends.size());
        EXPECT_EQ(theirs(0, size), pattern(size));
        EXPECT_EQ(theirs_done_.back().byte_len, size);
    }
}

TEST_P(AgainstRxe, TheirSendsArriveHere) {
    connect(IBV_QPT_RC);
    for (const size_t size : kSizes) {
        SCOPED_TRACE(size);
        fill_theirs(0, pattern(size));
        our_pair_->post_receive(size);
        their_send(size % 2 ? IBV_WR_SEND : IBV_WR_SEND_WITH_IMM, 0, size);
        expect_done(our_pair_->receives.size(), our_pair_->receives.size());
        EXPECT_EQ(our_pair_->receives.back().bytes, pattern(size));
        if (size % 2 == 0) {
            EXPECT_EQ(std::memcmp(our_pair_->completions.back().received.immediate,
                                  "\x12\x34\x56\x78", 4),
                      0);
        }
    }
}

TEST_P(AgainstRxe, OurWritesAndReadsAreDoneThere) {
    connect(IBV_QPT_RC);
    for (const size_t size : kSizes) {
        SCOPED_TRACE(size);
        to_theirs(our_pair_->post(IBV_WR_RDMA_WRITE, pattern(size, 5)), 100);
        Send& read = to_theirs(our_pair_->post(IBV_WR_RDMA_READ, Bytes(size)), 100);
        read.what.fence = true;
        expect_done(our_pair_->sends.size(), 0);
        EXPECT_EQ(theirs(100, size), pattern(size, 5));
        EXPECT_EQ(read.bytes, pattern(size, 5));
    }
    their_receive(0, 8);
    to_theirs(our_pair_->post(IBV_WR_RDMA_WRITE_WITH_IMM, pattern(3000, 6)), 5);
    expect_done(our_pair_->sends.size(), 1);
    EXPECT_EQ(theirs(5, 3000), pattern(3000, 6));
    EXPECT_EQ(theirs_done_[0].opcode, IBV_WC_RECV_RDMA_WITH_IMM);
}

TEST_P(AgainstRxe, TheirWritesAndReadsAreDoneHere) {
    connect(IBV_QPT_RC);
    const uint32_t key = ours_.add_key(0, kMemory, kAll);
    size_t done = 0;
    for (const size_t size : kSizes) {
        SCOPED_TRACE(size);
        fill_theirs(0, pattern(size, 9));
        their_send(IBV_WR_RDMA_WRITE, 0, size, key, 77);
        expect_done(0, ++done);
        their_send(IBV_WR_RDMA_READ, 100000, size, key, 77);
        expect_done(0, ++done);
        EXPECT_TRUE(std::equal(ours_.memory().begin() + 77,
                               ours_.memory().begin() + 77 + static_cast<ptrdiff_t>(size),
                               pattern(size, 9).begin()));
        EXPECT_EQ(theirs(100000, size), pattern(size, 9));
    }
    our_pair_->post_receive(0);
    their_send(IBV_WR_RDMA_WRITE_WITH_IMM, 0, 3000, key, 0);
    expect_done(1, ++done);
    EXPECT_EQ(our_pair_->completions[0].length, 3000U);
}

TEST_P(AgainstRxe, AtomicsCountBothWays) {
    connect(IBV_QPT_RC);
    const uint32_t key = ours_.add_key(0, kMemory, kAll);
    const auto value = [](const Bytes& bytes) {
        uint64_t read = 0;
        std::memcpy(&read, bytes.data(), sizeof(read));
        return read;
    };
    for (uint64_t i = 0; i < 10; ++i) {
        to_theirs(our_pair_->post(IBV_WR_ATOMIC_FETCH_AND_ADD, Bytes(8)), 64).what.compare_add = 3;
    }
    Send& swap = to_theirs(our_pair_->post(IBV_WR_ATOMIC_CMP_AND_SWP, Bytes(8)), 64);
    swap.what.compare_add = 30;
    swap.what.swap = 0x123456789abcdef0;
    expect_done(11, 0);
    EXPECT_EQ(value(theirs(64, 8)), 0x123456789abcdef0U);
    EXPECT_EQ(value(our_pair_->sends[9].bytes), 27U);
    EXPECT_EQ(value(swap.bytes), 30U);
    their_send(IBV_WR_ATOMIC_FETCH_AND_ADD, 0, 8, key, 16, 5);
    their_send(IBV_WR_ATOMIC_FETCH_AND_ADD, 8, 8, key, 16, 5);
    their_send(IBV_WR_ATOMIC_CMP_AND_SWP, 16, 8, key, 16, 10, 99);
    expect_done(11, 3);
    EXPECT_EQ(value(theirs(8, 8)), 5U);
    EXPECT_EQ(value(theirs(16, 8)), 10U);
    EXPECT_EQ(ours_.memory()[16], 99);
}

TEST_P(AgainstRxe, AnUnreliableConnectionCarriesBothWays) {
    connect(IBV_QPT_UC);
    const uint32_t key = ours_.add_key(0, kMemory, kAll);
    their_receive(0, 5000);
    our_pair_->post(IBV_WR_SEND, pattern(5000));
    expect_done(1, 1);
    EXPECT_EQ(theirs(0, 5000), pattern(5000));
    our_pair_->post_receive(5000);
    their_send(IBV_WR_SEND, 0, 5000);
    their_send(IBV_WR_RDMA_WRITE, 0, 5000, key, 8);
    expect_done(2, 3);
    EXPECT_EQ(our_pair_->receives[0].bytes, pattern(5000));
    EXPECT_TRUE(until([&] { return ours_.memory()[5007] == pattern(5000)[4999]; }));
}

TEST_P(AgainstRxe, DatagramsCarryBothWays) {
    connect(IBV_QPT_UD);
    ah_handle_ = ibv_create_ah(rxe->pd, &ah_);
    ASSERT_NE(ah_handle_, nullptr);
    their_receive(0, 40 + kMtu);
    Send& send = our_pair_->post(IBV_WR_SEND_WITH_IMM, pattern(kMtu));
    send.address = path_;
    send.what.remote_qpn = theirs_->qp_num;
    send.what.remote_qkey = kQKey;
    expect_done(1, 1);
    EXPECT_EQ(theirs(40, kMtu), pattern(kMtu));
    EXPECT_EQ(theirs_done_[0].src_qp, our_pair_->qpn);
    our_pair_->post_receive(40 + kMtu);
    their_send(IBV_WR_SEND, 40, kMtu);
    expect_done(2, 2);
    const Bytes& got = our_pair_->receives[0].bytes;
    EXPECT_EQ(Bytes(got.begin() + 40, got.end()), pattern(kMtu));
    const bool ipv6 = GetParam() == Link::kIpv6;
    EXPECT_EQ(got[ipv6 ? 0 : 20] >> 4, ipv6 ? 6 : 4);
    ibv_destroy_ah(ah_handle_);
}

TEST_P(AgainstRxe, AReceiverThatIsNotReadyIsAskedAgain) {
    connect(IBV_QPT_RC);
    our_pair_->post(IBV_WR_SEND, pattern(3000));
    EXPECT_TRUE(until([&] { return ours_.counters().rnr_waits >= 3; }));
    their_receive(0, 3000);
    expect_done(1, 1);
    EXPECT_EQ(theirs(0, 3000), pattern(3000));
    their_send(IBV_WR_SEND, 0, 3000);
    EXPECT_TRUE(until([&] { return ours_.counters().not_ready >= 3; }));
    our_pair_->post_receive(3000);
    expect_done(2, 2);
    EXPECT_EQ(our_pair_->receives[0].bytes, pattern(3000));
}

TEST_P(AgainstRxe, AWriteWithoutItsKeyEndsOurs) {
    connect(IBV_QPT_RC);
    to_theirs(our_pair_->post(IBV_WR_RDMA_WRITE, pattern(10)), 0).what.rkey ^= 0x5500;
    EXPECT_TRUE(until([&] { return !our_pair_->completions.empty(); }));
    EXPECT_EQ(our_pair_->completions[0].status, IBV_WC_REM_ACCESS_ERR);
}

TEST_P(AgainstRxe, AWriteWithoutItsKeyEndsTheirs) {
    connect(IBV_QPT_RC);
    their_send(IBV_WR_RDMA_WRITE, 0, 10, 0xbad, 0);
    EXPECT_TRUE(until([&] { return !theirs_done_.empty(); }));
    EXPECT_EQ(theirs_done_[0].status, IBV_WC_REM_ACCESS_ERR);
}

TEST_P(AgainstRxe, AMessageLongerThanTheReceiveRequestEndsBoth) {
    connect(IBV_QPT_RC);
    their_receive(0, 100);
    our_pair_->post(IBV_WR_SEND, pattern(101));
    EXPECT_TRUE(until([&] { return !our_pair_->completions.empty(); }));
    // IBA 9.7.5.2.4 wants an invalid request; Linux 6.1's rxe says that the operation failed.
    EXPECT_TRUE(our_pair_->completions[0].status == IBV_WC_REM_INV_REQ_ERR ||
                our_pair_->completions[0].status == IBV_WC_REM_OP_ERR)
        << ibv_wc_status_str(our_pair_->completions[0].status);
}

constexpr RoceFaultRates kFaults = {
    .lost = 200, .doubled = 200, .reordered = 200, .corrupted = 100};

TEST_P(AgainstRxe, OurRequestsSurviveFaults) {
    constexpr size_t kBytes = 9 * kMtu + 1;
    connect(IBV_QPT_RC);
    with_faults(kFaults);
    for (uint8_t i = 0; i < 40; ++i) {
        their_receive(size_t{i} * 5000, 5000);
        our_pair_->post(IBV_WR_SEND, pattern(5000, i));
        to_theirs(our_pair_->post(IBV_WR_RDMA_WRITE, pattern(kBytes, i)), 210000);
        to_theirs(our_pair_->post(IBV_WR_RDMA_READ, Bytes(kBytes)), 210000).what.fence = true;
        to_theirs(our_pair_->post(IBV_WR_ATOMIC_FETCH_AND_ADD, Bytes(8)), 250000).what.compare_add =
            1;
    }
    expect_done(160, 40);
    for (uint8_t i = 0; i < 40; ++i) {
        EXPECT_EQ(theirs(size_t{i} * 5000, 5000), pattern(5000, i));
        uint64_t original = 0;
        std::memcpy(&original, our_pair_->sends[i * 4 + 3].bytes.data(), 8);
        EXPECT_EQ(original, i);
    }
    EXPECT_EQ(our_pair_->sends[158].bytes, pattern(kBytes, 39));
}

TEST_P(AgainstRxe, TheirRequestsSurviveFaults) {
    connect(IBV_QPT_RC);
    with_faults(kFaults);
    const uint32_t key = ours_.add_key(0, kMemory, kAll);
    for (uint8_t i = 0; i < 40; ++i) {
        fill_theirs(size_t{i} * 5000, pattern(5000, i));
        our_pair_->post_receive(5000);
    }
    for (uint8_t i = 0; i < 40; ++i) {
        their_send(IBV_WR_SEND, size_t{i} * 5000, 5000);
        their_send(IBV_WR_RDMA_WRITE, size_t{i} * 5000, 5000, key, 0);
        their_send(IBV_WR_ATOMIC_FETCH_AND_ADD, 250000, 8, key, 250000, 1);
    }
    expect_done(40, 120);
    for (uint8_t i = 0; i < 40; ++i) {
        EXPECT_EQ(our_pair_->receives[i].bytes, pattern(5000, i));
    }
    EXPECT_EQ(ours_.memory()[250000], 40);
}

INSTANTIATE_TEST_SUITE_P(Ip, AgainstRxe, testing::Values(Link::kIpv4, Link::kIpv6),
                         [](const auto& info) {
                             return info.param == Link::kIpv6 ? "IPv6" : "IPv4";
                         });

}  // namespace
}  // namespace vrdma::roce

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    if (argc != 3) {
        std::fprintf(stderr, "usage: %s RXE TAP\n", argv[0]);
        return 2;
    }
    vrdma::roce::Tap tap(argv[2], std::getenv("VRDMA_ROCE_FRAMES"));
    vrdma::roce::Rxe rxe(argv[1]);
    vrdma::roce::tap = &tap;
    vrdma::roce::rxe = &rxe;
    return RUN_ALL_TESTS();
}
