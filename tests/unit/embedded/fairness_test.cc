// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Guests share a worker by what their work costs. The engine is stepped, and its clock stands
// still: how much each guest gets is counted in messages and steps.
#include <optional>

#include "fixture.h"
#include "memory/guest_access.h"
#include "rnic/embedded/contexts/turn.h"
#include "rnic/embedded/rings/rxe_abi.h"

namespace vrdma::embedded::test {
namespace {

constexpr uint32_t kLong = 256 * 1024;
constexpr uint32_t kShort = 2048;
constexpr unsigned kTurns = 10'000;
// The small messages of one turn.
constexpr unsigned kTurnMessages = kTurnCost / kMessageCost;

// An honest pair of guests, a and b; and a neighbour of theirs, which works for itself.
struct Neighbours : TwoGuests {
    Neighbours() : TwoGuests({}, kLong), c(*rnic, "carol", 3, {}, kLong) { connect(a.qp, b.qp); }

    // Queue pairs of the neighbour that are connected with themselves and write without end.
    void make_writers(unsigned count) {
        for (unsigned i = 0; i < count; ++i) {
            writers.push_back(c.guest.make_qp(c.send_cq, c.recv_cq));
            connect(writers.back(), c.guest.gid(), writers.back().number());
        }
    }
    void keep_writing(uint32_t length) {
        const SendWr wr{.opcode = WrOpcode::kRdmaWrite,
                        .flags = 0,
                        .remote_address = c.mr.iova,
                        .rkey = c.mr.rkey(),
                        .sges = {c.mr.sge(0, length)}};
        for (ClientQp& qp : writers) {
            while (qp.enqueue_send(wr)) {
            }
            qp.ring_doorbell();
        }
    }
    // The steps that the honest guest's message takes from the doorbell to its completion.
    template <typename Renew>
    unsigned steps_of_a_message(const Renew& renew) {
        a.qp.post_send(write_wr(0, 0, 64));
        unsigned steps = 0;
        while (!a.send_cq.poll()) {
            renew();
            rnic->poll_once();
            ++steps;
            EXPECT_LT(steps, 10'000u);
        }
        return steps;
    }
    rnic::Counters counters(End& end) { return end.guest.port->query_counters().value(); }
    uint64_t sent_bytes(End& end) { return counters(end)[VRDMA_COUNTER_SENT_BYTES]; }
    // Has a and the neighbour's writers write without end.  Answers a's bytes for each byte of the
    // neighbour's.
    double share_beside_writers(uint32_t length = kLong, unsigned turns = kTurns) {
        const auto here_before = static_cast<double>(sent_bytes(a));
        const auto there_before = static_cast<double>(sent_bytes(c));
        for (unsigned i = 0; i < turns; ++i) {
            while (a.qp.enqueue_send(write_wr(0, 0, length))) {
            }
            a.qp.ring_doorbell();
            while (a.send_cq.poll()) {
            }
            keep_writing(length);
            rnic->poll_once();
        }
        const auto here = static_cast<double>(sent_bytes(a)) - here_before;
        const auto there = static_cast<double>(sent_bytes(c)) - there_before;
        return here / there;
    }

    // While it lives, a byte of a's takes a tenth of a nanosecond, and one of the neighbour's so
    // many, as a function of its message of kShort bytes.
    class CopyTimes {
      public:
        CopyTimes(Neighbours& scene, std::function<uint64_t(uint64_t message)> tenths)
            : clock_(*scene.clock) {
            clock_.on_read = [this, &scene, tenths = std::move(tenths)] {
                const uint64_t here = scene.sent_bytes(scene.a);
                const uint64_t there = scene.sent_bytes(scene.c);
                uint64_t time = here - here_;
                for (; there_ < there; there_ += kShort) {
                    time += tenths(there_ / kShort) * kShort;
                }
                clock_.advance(time / 10);
                here_ = here;
            };
        }
        ~CopyTimes() { clock_.on_read = nullptr; }
        CopyTimes(const CopyTimes&) = delete;
        CopyTimes& operator=(const CopyTimes&) = delete;

      private:
        FakeClock& clock_;
        uint64_t here_ = 0;
        uint64_t there_ = 0;
    };

    End c;
    std::vector<ClientQp> writers;
};

class BusyNeighbour : public Neighbours, public ::testing::WithParamInterface<unsigned> {};

TEST_P(BusyNeighbour, HasItsShareHoweverManyQueuePairsItHas) {
    make_writers(GetParam());
    unsigned most = 0;
    unsigned sum = 0;
    constexpr unsigned kMessages = 400;
    for (unsigned i = 0; i < kMessages; ++i) {
        const unsigned steps = steps_of_a_message([this] { keep_writing(kLong); });
        most = std::max(most, steps);
        sum += steps;
    }
    EXPECT_LE(most, 3u) << "a message waits for a turn of the neighbour's or two";
    // The neighbour's turns cost as much as eight small messages and more.
    EXPECT_LE(sum, kMessages + kMessages / 4);
}

INSTANTIATE_TEST_SUITE_P(QueuePairs, BusyNeighbour, ::testing::Values(1, 16, 200));

TEST_F(Neighbours, OfOneWeightMoveAsManyBytes) {
    make_writers(4);
    EXPECT_NEAR(share_beside_writers(), 1, 0.1);
}

TEST_F(Neighbours, MoveBytesByTheirWeights) {
    make_writers(4);
    ASSERT_TRUE(a.guest.port->set_traffic_limits({.weight = 3}));
    EXPECT_NEAR(share_beside_writers(), 3, 0.3);
}

TEST_F(Neighbours, PayForTheTimeThatTheirCopiesTake) {
    make_writers(4);
    // A tenth of a nanosecond for a byte of a's, as the costs say, and four tenths for another one.
    const CopyTimes times(*this, [](uint64_t) { return 4; });
    EXPECT_NEAR(share_beside_writers(kShort), 4, 0.5);
}

TEST_F(Neighbours, PayForFewTurnsThatTakeLong) {
    make_writers(4);
    // The messages of about one turn of eight take eight times as long.
    const CopyTimes times(*this, [](uint64_t message) { return message / 5 % 8 == 0 ? 8 : 1; });
    EXPECT_NEAR(share_beside_writers(kShort), 15.0 / 8, 0.3);
}

TEST_F(Neighbours, PayForWhatCopiesTakeAndNotForWhatTheyTookBefore) {
    make_writers(4);
    uint64_t tenths = 4;
    const CopyTimes times(*this, [&tenths](uint64_t) { return tenths; });
    share_beside_writers(kShort);
    tenths = 1;
    EXPECT_NEAR(share_beside_writers(kShort, 1500), 1, 0.4);
    tenths = 4;
    EXPECT_NEAR(share_beside_writers(kShort, 1500), 4, 0.6);
}

TEST_F(Neighbours, PayForDoorbellsBehindWhichThereIsNothing) {
    unsigned sum = 0;
    constexpr unsigned kMessages = 400;
    for (unsigned i = 0; i < kMessages; ++i) {
        sum += steps_of_a_message([this] {
            for (auto* bitmap : {&c.guest.area->qp, &c.guest.area->cq}) {
                std::ranges::fill(bitmap->bits, ~uint64_t{0});
                std::ranges::fill(bitmap->summary, ~uint64_t{0});
                bitmap->root = ~uint64_t{0};
            }
        });
    }
    EXPECT_LE(sum, kMessages + kMessages / 10);
}

TEST_F(Neighbours, PayForQueuePairsThatMayNotSend) {
    std::vector<ClientQp> idle;
    for (unsigned i = 0; i < 1000; ++i) {
        idle.push_back(c.guest.make_qp(c.send_cq, c.recv_cq, {.send_wr = 1, .recv_wr = 1}));
    }
    unsigned sum = 0;
    constexpr unsigned kMessages = 400;
    for (unsigned i = 0; i < kMessages; ++i) {
        sum += steps_of_a_message([&idle] {
            for (const ClientQp& qp : idle) {
                qp.ring_doorbell();
            }
        });
    }
    EXPECT_LE(sum, kMessages + kMessages / 10);
}

TEST_F(Neighbours, PayForFlushes) {
    ClientCq cq = c.guest.make_cq(16383);
    ClientQp failed = c.guest.make_qp(cq, cq, {.send_wr = 255, .recv_wr = 255});
    rnic::QpAttributes error;
    error.qp_state = static_cast<uint8_t>(QpState::kError);
    ASSERT_TRUE(failed.modify(kAttrState, error));
    unsigned sum = 0;
    constexpr unsigned kMessages = 400;
    for (unsigned i = 0; i < kMessages; ++i) {
        sum += steps_of_a_message([&] {
            while (failed.enqueue_send({})) {
            }
            failed.ring_doorbell();
            while (cq.poll()) {
            }
        });
    }
    EXPECT_LE(sum, kMessages + kMessages / 10);
}

// A guest whose queue pair is in the error state and always has requests to flush.
struct FlushingNeighbour : Neighbours {
    static constexpr unsigned kMessages = 10'000;
    static constexpr double kShare = 1.0 / 64;  // of useless work

    FlushingNeighbour()
        : cq(c.guest.make_cq(16383)),
          failed(c.guest.make_qp(cq, cq, {.send_wr = 255, .recv_wr = 255})) {
        rnic::QpAttributes error;
        error.qp_state = static_cast<uint8_t>(QpState::kError);
        EXPECT_TRUE(failed.modify(kAttrState, error));
    }
    // The requests that are flushed while the honest guest has its messages carried out.
    uint64_t flushed_beside_messages() {
        uint64_t flushed = 0;
        for (unsigned i = 0; i < kMessages; ++i) {
            steps_of_a_message([&] {
                while (failed.enqueue_send({})) {
                }
                failed.ring_doorbell();
                while (cq.poll()) {
                    ++flushed;
                }
            });
        }
        return flushed;
    }

    ClientCq cq;
    ClientQp failed;
};

TEST_F(FlushingNeighbour, HasASmallPartOfTheWorker) {
    // One flush costs as much as a message, and 64 times when there is nothing else. The first
    // turn and the last one may not be paid for yet.
    EXPECT_NEAR(static_cast<double>(flushed_beside_messages()), kMessages * kShare,
                2 * kTurnMessages);
}

TEST_F(FlushingNeighbour, PaysForTheTimeThatFlushesTake) {
    // 800 ns each in place of 100: the time goes on by what the neighbour's CQ has got.
    uint32_t seen = 0;
    clock->on_read = [&] {
        const uint32_t now =
            memory::load(&cq.ring.header()->producer_index, std::memory_order_relaxed);
        clock->advance(uint64_t{800} * ((now - seen) & cq.ring.mask()));
        seen = now;
    };
    EXPECT_NEAR(static_cast<double>(flushed_beside_messages()), kMessages * kShare / 8,
                2 * kTurnMessages);
    clock->on_read = nullptr;  // it reads what ends before the clock
}

TEST_F(Neighbours, FindAllThatRangInTheEnd) {
    make_writers(300);
    for (unsigned i = 0; i < 3; ++i) {
        for (ClientQp& qp : writers) {
            qp.post_send({.opcode = WrOpcode::kRdmaWrite,
                          .flags = 0,
                          .remote_address = c.mr.iova,
                          .rkey = c.mr.rkey(),
                          .sges = {c.mr.sge(0, 8)}});
        }
        settle();
    }
    EXPECT_EQ(counters(c)[VRDMA_COUNTER_RDMA_WRITES], 900u);
}

TEST_F(Neighbours, AreAllReachedByALongMulticastOnceEach) {
    constexpr rnic::Gid kGroup{0xff, 0x0e, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    const QpOptions options{.type = QpType::kUd};
    ClientQp sender = c.guest.make_qp(c.send_cq, c.recv_cq, options);
    connect(sender, {}, 0);
    const ClientAh ah = c.guest.make_ah(kGroup);
    std::vector<ClientCq> cqs;
    std::vector<ClientQp> members;
    for (unsigned i = 0; i < kMaxGroupMembers; ++i) {
        cqs.push_back(c.guest.make_cq(7));
        members.push_back(c.guest.make_qp(cqs.back(), cqs.back(), options));
        connect(members.back(), {}, 0);
        ASSERT_TRUE(members.back().object->attach_mcast(kGroup, 0));
        ASSERT_TRUE(members.back().post_recv(0, std::array{c.mr.sge(0, 4096 + kGrhSize)}));
        ASSERT_TRUE(members.back().post_recv(1, std::array{c.mr.sge(0, 4096 + kGrhSize)}));
    }
    ASSERT_TRUE(sender.post_send({.remote_qpn = kMulticastQpNumber,
                                  .remote_qkey = ConnectOptions{}.qkey,
                                  .ah_number = ah.number,
                                  .sges = {c.mr.sge(0, 4096)}}));
    // A turn reaches a few of them, so that the honest guest waits for a few.
    ASSERT_TRUE(rnic->poll_once());
    EXPECT_LE(steps_of_a_message([] {}), 2u);
    EXPECT_TRUE(c.send_cq.ring.empty());
    settle();
    EXPECT_EQ(status_of(only_completion(c.send_cq)), WcStatus::kSuccess);
    for (ClientCq& cq : cqs) {
        EXPECT_EQ(status_of(only_completion(cq)), WcStatus::kSuccess);
    }
}

struct LimitedGuest : Neighbours {
    static constexpr uint64_t kMs = 1'000'000;

    // Writes of a's that complete while its clock stands still.
    unsigned completed(uint32_t length) {
        unsigned count = 0;
        for (;;) {
            while (a.qp.enqueue_send(write_wr(0, 0, length))) {
            }
            a.qp.ring_doorbell();
            settle_while_limited();
            unsigned more = 0;
            while (a.send_cq.poll()) {
                ++more;
            }
            if (more == 0) {
                return count;
            }
            count += more;
        }
    }
    void settle_while_limited() { settle(); }

    // How often a's work waited. Static, as it outlives a's port, which the base class has.
    rnic::TrafficReached& count_waits() {
        static std::optional<rnic::TrafficReached> reached;
        a.guest.port->set_budgets({.traffic = &reached.emplace()});
        return *reached;
    }
};

TEST_F(LimitedGuest, SendsItsBurstAndThenAtItsRate) {
    // 10 messages in 10 ms.
    ASSERT_TRUE(a.guest.port->set_traffic_limits({.messages_per_second = 1000}));
    const unsigned burst = completed(64);
    EXPECT_GE(burst, 10u);
    EXPECT_LE(burst, 10u + kTurnMessages) << "a turn more than its burst";
    EXPECT_FALSE(rnic->poll_once()) << "work that waits for its rate is nothing to do";
    unsigned more = 0;
    for (unsigned i = 0; i < 100; ++i) {
        clock->advance(kMs);
        more += completed(64);
    }
    EXPECT_NEAR(burst + more, 110, kTurnMessages);
}

TEST_F(LimitedGuest, HasItsBytesCounted) {
    // 1 MiB in 10 ms.
    ASSERT_TRUE(a.guest.port->set_traffic_limits({.bytes_per_second = 100ull << 20}));
    unsigned writes = completed(kLong);
    EXPECT_GE(writes, 4u);
    EXPECT_LE(writes, 5u);
    for (unsigned i = 0; i < 100; ++i) {
        clock->advance(kMs);
        writes += completed(kLong);
    }
    EXPECT_NEAR(writes, 44, 2);
}

TEST_F(LimitedGuest, HasItsWaitsCountedForTheRateThatItWaitsFor) {
    const rnic::TrafficReached& reached = count_waits();
    ASSERT_TRUE(a.guest.port->set_traffic_limits({.messages_per_second = 1000}));
    completed(64);
    EXPECT_EQ(reached.messages_per_second.times(), 1u);
    completed(64);
    EXPECT_EQ(reached.messages_per_second.times(), 1u) << "it is the same wait";
    clock->advance(kMs * kTurnMessages);
    EXPECT_GT(completed(64), 0u);
    EXPECT_EQ(reached.messages_per_second.times(), 2u);
    EXPECT_EQ(reached.bytes_per_second.times(), 0u);
    ASSERT_TRUE(a.guest.port->set_traffic_limits({.bytes_per_second = 1000}));
    completed(kLong);
    EXPECT_EQ(reached.messages_per_second.times(), 2u);
    EXPECT_EQ(reached.bytes_per_second.times(), 1u);
    ASSERT_TRUE(a.guest.port->set_traffic_limits({}));
    settle();
    EXPECT_EQ(reached.bytes_per_second.times(), 1u);
}

TEST_F(LimitedGuest, KeepsNobodyElseWaiting) {
    ASSERT_TRUE(c.guest.port->set_traffic_limits({.bytes_per_second = 1000}));
    make_writers(16);
    keep_writing(kLong);
    settle();
    for (unsigned i = 0; i < 100; ++i) {
        EXPECT_EQ(steps_of_a_message([this] { keep_writing(kLong); }), 1u);
    }
}

TEST_F(LimitedGuest, GoesOnAtOnceWhenTheLimitGoes) {
    ASSERT_TRUE(a.guest.port->set_traffic_limits({.bytes_per_second = 1}));
    a.qp.post_send(write_wr(0, 0, kLong));
    settle();
    EXPECT_TRUE(a.send_cq.ring.empty());
    ASSERT_TRUE(a.guest.port->set_traffic_limits({}));
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
}

TEST_F(LimitedGuest, TakesOnlyLimitsThatMakeSense) {
    auto set = [this](const rnic::TrafficLimits& limits) {
        const auto result = a.guest.port->set_traffic_limits(limits);
        return result ? Errno{0} : result.error();
    };
    using std::chrono::seconds;
    EXPECT_EQ(set({.weight = 0}), Errno{EINVAL});
    EXPECT_EQ(set({.weight = 1001}), Errno{EINVAL});
    EXPECT_EQ(set({.burst = seconds(0)}), Errno{EINVAL});
    EXPECT_EQ(set({.burst = seconds(11)}), Errno{EINVAL});
    EXPECT_EQ(set({.weight = 1000, .burst = seconds(10)}), Errno{0});
}

}  // namespace
}  // namespace vrdma::embedded::test
