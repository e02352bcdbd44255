// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A network that loses, doubles, reorders and damages frames: a reliable connection has the same
// result as without.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "fake_network.h"
#include "roce_faults.h"

namespace vrdma::roce {
namespace {

constexpr int kAll = IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC;
constexpr uint64_t kReadAt = 100000;
constexpr uint64_t kCounterAt = 200000;

// Messages of each kind, some of several packets, in both directions.
struct Sequence {
    explicit Sequence(const std::function<void(RoceQpAttributes&)>& change = nullptr)
        : connection(IBV_QPT_RC, Link::kIpv4, change) {
        key = connection.right.add_key(0, kMemory, kAll);
        const Bytes there = pattern(10 * kMtu, 77);
        std::copy(there.begin(), there.end(), connection.right.memory().begin() + kReadAt);
        QueuePair& a = connection.a;
        QueuePair& b = connection.b;
        b.post_receive(3 * kMtu);
        a.post(IBV_WR_SEND, pattern(3 * kMtu, 1));
        to(a.post(IBV_WR_RDMA_WRITE, pattern(2 * kMtu + 1, 2)), 0);
        to(a.post(IBV_WR_RDMA_READ, Bytes(4 * kMtu)), kReadAt);
        to(a.post(IBV_WR_ATOMIC_FETCH_AND_ADD, Bytes(8)), kCounterAt).what.compare_add = 3;
        b.post_receive(10);
        a.post(IBV_WR_SEND_WITH_IMM, pattern(10, 3));
        to(a.post(IBV_WR_ATOMIC_CMP_AND_SWP, Bytes(8)), kCounterAt).what.compare_add = 3;
        a.sends.back().what.swap = 40;
        to(a.post(IBV_WR_RDMA_READ, Bytes(1)), kReadAt + 5);
        b.post_receive(0);
        to(a.post(IBV_WR_RDMA_WRITE_WITH_IMM, pattern(2 * kMtu, 4)), 50000);
        to(a.post(IBV_WR_ATOMIC_FETCH_AND_ADD, Bytes(8)), kCounterAt).what.compare_add = 1;
        a.post_receive(2 * kMtu);
        b.post(IBV_WR_SEND, pattern(2 * kMtu, 5));
    }

    Send& to(Send& send, uint64_t address) const {
        send.what.rkey = key;
        send.what.remote_address = address;
        return send;
    }

    // That everything is as the requests say, each done once.
    void expect_done() const {
        const QueuePair& a = connection.a;
        const QueuePair& b = connection.b;
        std::vector<uint32_t> sent;
        for (const Completion& completion : a.completions) {
            EXPECT_EQ(completion.status, IBV_WC_SUCCESS);
            if (completion.send) {
                sent.push_back(completion.length);
            }
        }
        EXPECT_EQ(sent, (std::vector<uint32_t>{3 * kMtu, 2 * kMtu + 1, 4 * kMtu, 8, 10, 8, 1,
                                               2 * kMtu, 8}));
        std::string received;
        for (const Completion& completion : b.completions) {
            received += completion.send ? "" : std::to_string(completion.length) + " ";
        }
        EXPECT_EQ(received, "3072 10 2048 ");
        EXPECT_EQ(b.receives[0].bytes, pattern(3 * kMtu, 1));
        EXPECT_EQ(b.receives[1].bytes, pattern(10, 3));
        EXPECT_EQ(a.receives[0].bytes, pattern(2 * kMtu, 5));
        expect_memory(0, pattern(2 * kMtu + 1, 2));
        expect_memory(50000, pattern(2 * kMtu, 4));
        const Bytes there = pattern(10 * kMtu, 77);
        EXPECT_TRUE(std::equal(there.begin(), there.begin() + 4 * kMtu, a.sends[2].bytes.begin()));
        EXPECT_EQ(a.sends[6].bytes[0], there[5]);
        EXPECT_EQ(value(a.sends[3].bytes, 0), 0U);
        EXPECT_EQ(value(a.sends[5].bytes, 0), 3U);
        EXPECT_EQ(value(a.sends[8].bytes, 0), 40U);
        EXPECT_EQ(value(const_cast<Device&>(connection.right).memory(), kCounterAt), 41U);
        EXPECT_EQ(a.completions.size(), 10U);
        EXPECT_EQ(b.completions.size(), 4U);
    }

    static uint64_t value(const Bytes& bytes, size_t at) {
        uint64_t value = 0;
        std::memcpy(&value, bytes.data() + at, sizeof(value));
        return value;
    }

    void expect_memory(size_t at, const Bytes& expected) const {
        Bytes& memory = const_cast<Device&>(connection.right).memory();
        EXPECT_TRUE(std::equal(expected.begin(), expected.end(),
                               memory.begin() + static_cast<ptrdiff_t>(at)));
    }

    Connection connection;
    uint32_t key = 0;
};

size_t frames_without_faults() {
    Sequence sequence;
    sequence.connection.run();
    sequence.expect_done();
    return sequence.connection.network.frames();
}

// As many frames as the whole sequence has, in both directions.
size_t frame_count() {
    static const size_t kCount = frames_without_faults();
    return kCount;
}

TEST(LossTest, AnyOneFrameMayBeLost) {
    for (size_t lost = 0; lost < frame_count(); ++lost) {
        SCOPED_TRACE(lost);
        Sequence sequence;
        sequence.connection.network.set_filter(
            [&](size_t number, Bytes& /*frame*/) { return number != lost; });
        sequence.connection.run();
        sequence.expect_done();
    }
}

TEST(LossTest, AnyTwoFramesMayBeLost) {
    for (size_t first = 0; first < frame_count(); ++first) {
        for (size_t second = first + 1; second < first + 12; ++second) {
            SCOPED_TRACE(testing::Message() << first << " and " << second);
            Sequence sequence;
            sequence.connection.network.set_filter([&](size_t number, Bytes& /*frame*/) {
                return number != first && number != second;
            });
            sequence.connection.run();
            sequence.expect_done();
        }
    }
}

TEST(LossTest, AllFramesAfterOneMayBeLostOnce) {
    for (size_t first = 0; first < frame_count(); ++first) {
        SCOPED_TRACE(first);
        Sequence sequence;
        sequence.connection.network.set_filter([&](size_t number, Bytes& /*frame*/) {
            return number < first || number >= frame_count();
        });
        sequence.connection.run();
        sequence.expect_done();
    }
}

TEST(LossTest, AnyFrameMayComeTwiceAtOnceOrLater) {
    for (size_t doubled = 0; doubled < frame_count(); ++doubled) {
        for (const size_t later : {0, 3, 10}) {
            SCOPED_TRACE(testing::Message() << doubled << ", again after " << later);
            Sequence sequence;
            Network& network = sequence.connection.network;
            Bytes copy;
            network.set_filter([&](size_t number, Bytes& frame) {
                if (number == doubled) {
                    copy = frame;
                }
                if (number == doubled + later) {
                    network.deliver(copy.data(), copy.size());
                }
                return true;
            });
            sequence.connection.run();
            sequence.expect_done();
        }
    }
}

TEST(LossTest, AnyFrameMayComeAfterLaterOnes) {
    for (size_t late = 0; late < frame_count(); ++late) {
        for (const size_t by : {1, 2, 5}) {
            SCOPED_TRACE(testing::Message() << late << ", late by " << by);
            Sequence sequence;
            Network& network = sequence.connection.network;
            Bytes held;
            network.set_filter([&](size_t number, Bytes& frame) {
                if (number == late) {
                    held = frame;
                    return false;
                }
                if (number == late + by) {
                    network.deliver(frame.data(), frame.size());
                    network.deliver(held.data(), held.size());
                    return false;
                }
                return true;
            });
            sequence.connection.run();
            sequence.expect_done();
        }
    }
}

TEST(LossTest, ALateCopyOfARequestTakesNoPlaceOfANewOne) {
    Connection connection(IBV_QPT_RC, Link::kIpv4, [](RoceQpAttributes& attributes) {
        attributes.max_reads = attributes.max_reads_served = 1;
    });
    Network& network = connection.network;
    const uint32_t key = connection.right.add_key(0, kMemory, kAll);
    for (int i = 0; i < 3; ++i) {
        Send& add = connection.a.post(IBV_WR_ATOMIC_FETCH_AND_ADD, Bytes(8));
        add.what.rkey = key;
        add.what.compare_add = 1;
    }
    Bytes first;
    network.set_filter([&](size_t number, Bytes& frame) {
        if (number == 0) {
            first = frame;
        } else if (number == 2) {
            network.deliver(first.data(), first.size());
        }
        return true;
    });
    connection.run();
    EXPECT_EQ(connection.a.summary(), "send 8, send 8, send 8");
    EXPECT_EQ(connection.right.memory()[0], 3);
}

TEST(LossTest, ADamagedFrameCountsAsLost) {
    for (size_t damaged = 0; damaged < frame_count(); ++damaged) {
        SCOPED_TRACE(damaged);
        Sequence sequence;
        sequence.connection.network.set_filter([&](size_t number, Bytes& frame) {
            if (number == damaged) {
                frame[frame.size() - 1 - damaged % 20] ^= 0x10;
            }
            return true;
        });
        sequence.connection.run();
        sequence.expect_done();
    }
}

TEST(LossTest, FaultsOfAllKindsTogetherChangeNothing) {
    constexpr RoceFaultRates kRates = {
        .lost = 500, .doubled = 500, .reordered = 500, .corrupted = 300};
    for (uint64_t seed = 1; seed <= 200; ++seed) {
        SCOPED_TRACE(seed);
        Sequence sequence([](RoceQpAttributes& attributes) { attributes.retry_count = 7; });
        Network& network = sequence.connection.network;
        RoceFaults* faults = roce_faults_new(
            seed, &kRates,
            [](void* opaque, const uint8_t* frame, size_t size) {
                static_cast<Network*>(opaque)->deliver(frame, size);
            },
            &network);
        network.set_detour(
            [&](const Bytes& frame) { roce_faults_pass(faults, frame.data(), frame.size()); });
        sequence.connection.run();
        sequence.expect_done();
        roce_faults_free(faults);
    }
}

TEST(FaultsTest, TheSameSeedGivesTheSameFaults) {
    const auto run = [](uint64_t seed) {
        constexpr RoceFaultRates kRates = {
            .lost = 1000, .doubled = 1000, .reordered = 1000, .corrupted = 1000};
        std::vector<Bytes> out;
        RoceFaults* faults = roce_faults_new(
            seed, &kRates,
            [](void* opaque, const uint8_t* frame, size_t size) {
                static_cast<std::vector<Bytes>*>(opaque)->emplace_back(frame, frame + size);
            },
            &out);
        for (uint8_t i = 0; i < 200; ++i) {
            roce_faults_pass(faults, pattern(60, i).data(), 60);
        }
        roce_faults_flush(faults);
        roce_faults_free(faults);
        return out;
    };
    EXPECT_EQ(run(1), run(1));
    EXPECT_NE(run(1), run(2));
    EXPECT_NE(run(1).size(), 200U);
}

TEST(LossTest, AReceiverThatIsNotReadyIsAskedAgain) {
    Connection connection;
    connection.a.post(IBV_WR_SEND, pattern(3 * kMtu));
    roce_qp_kick(connection.a.qp);
    connection.network.set_filter([&](size_t number, Bytes& /*frame*/) {
        if (number == 6) {
            connection.b.post_receive(3 * kMtu);
        }
        return true;
    });
    connection.network.run();
    EXPECT_EQ(connection.a.summary(), "send 3072");
    EXPECT_EQ(connection.b.summary(), "recv 3072");
    EXPECT_EQ(connection.b.receives[0].bytes, pattern(3 * kMtu));
    EXPECT_GE(connection.left.counters().rnr_waits, 1U);
    EXPECT_EQ(connection.left.counters().timeouts, 0U);
}

TEST(LossTest, AWriteWithImmediateThatFindsNoReceiveRequestIsDoneOnce) {
    Connection connection;
    const uint32_t key = connection.right.add_key(0, kMemory, kAll);
    Send& write = connection.a.post(IBV_WR_RDMA_WRITE_WITH_IMM, pattern(2 * kMtu));
    write.what.rkey = key;
    Send& add = connection.a.post(IBV_WR_ATOMIC_FETCH_AND_ADD, Bytes(8));
    add.what.rkey = key;
    add.what.remote_address = kCounterAt;
    add.what.compare_add = 1;
    connection.network.set_filter([&](size_t number, Bytes& /*frame*/) {
        if (number == 4) {
            connection.b.post_receive(0);
        }
        return true;
    });
    connection.run();
    EXPECT_EQ(connection.a.summary(), "send 2048, send 8");
    EXPECT_EQ(connection.b.summary(), "recv 2048");
    EXPECT_EQ(Sequence::value(connection.right.memory(), kCounterAt), 1U);
}

TEST(LossTest, RequestsAndWhatWentWrongAreCounted) {
    Connection connection;
    const uint32_t key = connection.right.add_key(0, kMemory, kAll);
    Send& write = connection.a.post(IBV_WR_RDMA_WRITE, pattern(4 * kMtu));
    write.what.rkey = key;
    connection.a.post(IBV_WR_RDMA_READ, Bytes(3 * kMtu)).what.rkey = key;
    Send& add = connection.a.post(IBV_WR_ATOMIC_FETCH_AND_ADD, Bytes(8));
    add.what.rkey = key;
    add.what.remote_address = kCounterAt;
    connection.network.set_filter([](size_t number, Bytes& /*frame*/) { return number != 1; });
    connection.run();
    EXPECT_EQ(connection.a.summary(), "send 4096, send 3072, send 8");
    const RoceCounters& right = connection.right.counters();
    EXPECT_EQ(right.writes, 1U);
    EXPECT_EQ(right.reads, 1U);
    EXPECT_EQ(right.atomics, 1U);
    EXPECT_GE(right.out_of_sequence, 1U);
    EXPECT_EQ(connection.left.counters().sequence_naks, 1U);
    EXPECT_EQ(connection.left.counters().rnr_exceeded, 0U);
}

TEST(LossTest, SevenRnrRetriesAreForEver) {
    Connection connection(IBV_QPT_RC, Link::kIpv4, [](RoceQpAttributes& a) { a.rnr_retry = 7; });
    connection.a.post(IBV_WR_SEND, pattern(5));
    connection.network.set_filter([&](size_t number, Bytes& /*frame*/) {
        if (number == 199) {
            connection.b.post_receive(5);
        }
        return true;
    });
    connection.run();
    EXPECT_EQ(connection.a.summary(), "send 5");
    EXPECT_GE(connection.left.counters().rnr_waits, 90U);
}

TEST(LossTest, TheRnrTimerIsTheReceivers) {
    // IBA table 45: 14 is 1.28 ms.
    Connection connection(IBV_QPT_RC, Link::kIpv4, [](RoceQpAttributes& a) {
        a.min_rnr_timer = 14;
        a.rnr_retry = 2;
    });
    connection.a.post(IBV_WR_SEND, pattern(5));
    std::vector<uint64_t> times;  // of the SEND, without the RNR NAKs between
    connection.network.set_filter([&](size_t number, Bytes& /*frame*/) {
        if (number % 2 == 0) {
            times.push_back((connection.network.now() - 1) / 1000);
        }
        return true;
    });
    connection.run();
    EXPECT_EQ(connection.a.summary(),
              "send " + std::string(ibv_wc_status_str(IBV_WC_RNR_RETRY_EXC_ERR)));
    EXPECT_EQ(times, (std::vector<uint64_t>{0, 1280, 2560}));
    EXPECT_EQ(roce_qp_state(connection.a.qp), IBV_QPS_ERR);
}

TEST(LossTest, RetriesAreCountedAndThenGivenUp) {
    Connection connection;
    connection.b.post_receive(5);
    connection.a.post(IBV_WR_SEND, pattern(5));
    connection.a.post(IBV_WR_SEND, pattern(5));
    connection.network.set_filter([](size_t, Bytes&) { return false; });
    connection.run();
    EXPECT_EQ(connection.a.summary(), "send " +
                                          std::string(ibv_wc_status_str(IBV_WC_RETRY_EXC_ERR)) +
                                          ", send " + ibv_wc_status_str(IBV_WC_WR_FLUSH_ERR));
    EXPECT_EQ(connection.network.frames(), 4U * 2);
    // IBA 9.7.6.1.3: four timeouts of 4.096 us * 2^14.
    EXPECT_EQ(connection.network.now() - 1, 4U * (4096U << 14));
    EXPECT_EQ(connection.a.moved, 1U);
}

TEST(LossTest, ProgressRestoresTheRetries) {
    // Each third frame alone arrives: more is lost than there are retries, but never so in a row.
    Connection connection;
    const uint32_t key = connection.right.add_key(0, kMemory, kAll);
    for (int i = 0; i < 20; ++i) {
        connection.a.post(IBV_WR_RDMA_WRITE, pattern(100)).what.rkey = key;
    }
    connection.network.set_filter([](size_t number, Bytes&) { return number % 5 != 2; });
    connection.run();
    EXPECT_EQ(connection.a.completions.size(), 20U);
    EXPECT_EQ(connection.a.completions.back().status, IBV_WC_SUCCESS);
}

}  // namespace
}  // namespace vrdma::roce
