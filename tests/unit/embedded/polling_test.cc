// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Workers with threads: they sleep without work and miss no doorbell.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "file_descriptor.h"
#include "fixture.h"
#include "memory/guest_access.h"

namespace vrdma::embedded::test {
namespace {

using std::chrono::microseconds;

// The guest driver's half of the doorbell protocol (common/vrdma_doorbell.h).
class Notifier {
  public:
    explicit Notifier(Guest& guest)
        : area_(*guest.area), fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        guest.port->set_doorbells(&area_, fd_.get());
    }

    // After a doorbell, whose read-modify-writes are full barriers here.
    void notify_unless_polling() {
        if (memory::load(&area_.polling, std::memory_order_seq_cst) != 0) {
            return;
        }
        const uint64_t one = 1;
        ASSERT_EQ(::write(fd_.get(), &one, sizeof(one)), ssize_t{sizeof(one)});
        ++notifications_;
    }
    unsigned notifications() const { return notifications_; }
    bool polled() const { return memory::load(&area_.polling, std::memory_order_seq_cst) != 0; }

  private:
    vrdma_doorbell_area& area_;
    FileDescriptor fd_;
    unsigned notifications_ = 0;
};

struct Threaded : ::testing::TestWithParam<unsigned> {
    static std::unique_ptr<EmbeddedRnic> make(unsigned threads, microseconds spin) {
        EmbeddedConfig config;
        config.threads = threads;
        config.spin = spin;
        return make_embedded_rnic(config, vrdma::test::silent_logger());
    }

    static ib_uverbs_wc wait_for(ClientCq& cq) {
        for (;;) {
            if (auto wc = cq.poll()) {
                return *wc;
            }
            std::this_thread::yield();
        }
    }

    // Eight bytes from the one end's memory into the other's.
    static void post_write(End& from, End& to, uint64_t id) {
        from.qp.post_send({.wr_id = id,
                           .opcode = WrOpcode::kRdmaWrite,
                           .remote_address = to.mr.iova,
                           .rkey = to.mr.rkey(),
                           .sges = {from.mr.sge(0, 8)}});
    }
};

INSTANTIATE_TEST_SUITE_P(Workers, Threaded, ::testing::Values(1u, 2u));

// Each message is posted when the worker has gone to sleep or is about to: a wake-up
// that got lost would leave the test waiting.
TEST_P(Threaded, NoDoorbellIsMissedAroundFallingAsleep) {
    auto rnic = make(GetParam(), microseconds(0));
    End a(*rnic, "alice", 1);
    End b(*rnic, "bob", 2);
    Notifier notifier(a.guest);
    connect(a.qp, b.qp);
    for (uint64_t i = 0; i < 3000; ++i) {
        std::memcpy(a.memory.data(), &i, sizeof(i));
        post_write(a, b, i);
        notifier.notify_unless_polling();
        const auto wc = wait_for(a.send_cq);
        ASSERT_EQ(status_of(wc), WcStatus::kSuccess);
        ASSERT_EQ(wc.wr_id, i);
        uint64_t arrived;
        std::memcpy(&arrived, b.memory.data(), sizeof(arrived));
        ASSERT_EQ(arrived, i);
    }
}

// epoll refuses a device such as /dev/null, as it does any descriptor when memory or the user's
// watches have run out.
TEST_P(Threaded, DoorbellsThatCannotBeWaitedForAreFoundAllTheSame) {
    auto rnic = make(GetParam(), microseconds(0));
    End a(*rnic, "alice", 1);
    End b(*rnic, "bob", 2);
    const FileDescriptor refused(::open("/dev/null", O_RDWR | O_CLOEXEC));
    a.guest.port->set_doorbells(a.guest.area.get(), refused.get());
    connect(a.qp, b.qp);
    for (uint64_t i = 0; i < 3; ++i) {
        while (memory::load(&a.guest.area->polling, std::memory_order_seq_cst) != 0) {
            std::this_thread::yield();
        }
        post_write(a, b, i);
        EXPECT_EQ(status_of(wait_for(a.send_cq)), WcStatus::kSuccess);
    }
    a.guest.port->set_doorbells(nullptr, -1);
}

TEST_P(Threaded, AWorkerThatSpinsIsNotNotified) {
    auto rnic = make(GetParam(), std::chrono::hours(1));
    End a(*rnic, "alice", 1);
    End b(*rnic, "bob", 2);
    Notifier notifier(a.guest);
    connect(a.qp, b.qp);
    while (!notifier.polled()) {
        std::this_thread::yield();
    }
    for (uint64_t i = 0; i < 200; ++i) {
        post_write(a, b, i);
        notifier.notify_unless_polling();
        ASSERT_EQ(status_of(wait_for(a.send_cq)), WcStatus::kSuccess);
    }
    EXPECT_EQ(notifier.notifications(), 0u);
    EXPECT_EQ(a.guest.port->query_activity()->notifications, 0u);
}

TEST_P(Threaded, ANotificationThatWakesAWorkerIsCountedForItsGuest) {
    auto rnic = make(GetParam(), microseconds(0));
    End a(*rnic, "alice", 1);
    End b(*rnic, "bob", 2);
    Notifier notifier(a.guest);
    connect(a.qp, b.qp);
    // A worker that was about to sleep finds the work without the notification.
    while (a.guest.port->query_activity()->notifications == 0) {
        while (notifier.polled()) {
            std::this_thread::yield();
        }
        post_write(a, b, 1);
        notifier.notify_unless_polling();
        ASSERT_EQ(status_of(wait_for(a.send_cq)), WcStatus::kSuccess);
    }
    EXPECT_LE(a.guest.port->query_activity()->notifications, notifier.notifications());
    EXPECT_EQ(b.guest.port->query_activity()->notifications, 0u);
}

TEST_P(Threaded, AnIdleWorkerSaysThatItHasStoppedLooking) {
    auto rnic = make(GetParam(), microseconds(0));
    End a(*rnic, "alice", 1);
    Notifier notifier(a.guest);
    while (notifier.polled()) {
        std::this_thread::yield();
    }
}

// Both guests send to each other at the same time, on workers of their own if there
// are two: what each CQ and receive queue sees must be whole and in order.
TEST_P(Threaded, TrafficInBothDirectionsArrivesInOrder) {
    auto rnic = make(GetParam(), microseconds(20));
    End a(*rnic, "alice", 1);
    End b(*rnic, "bob", 2);
    Notifier notify_a(a.guest);
    Notifier notify_b(b.guest);
    connect(a.qp, b.qp, {.rnr_retry = 7});
    const auto play = [](End& self, Notifier& notifier) {
        constexpr uint64_t kMessages = 2000;
        constexpr uint64_t kWindow = 8;
        uint64_t posted = 0, sent = 0, received = 0;
        for (uint64_t i = 0; i < kWindow; ++i) {
            self.post_recv(i, 1024 + i * 64, 64);
        }
        while (received < kMessages || sent < kMessages) {
            if (posted < kMessages && posted - sent < kWindow) {
                std::memcpy(self.memory.data() + posted % kWindow * 64, &posted, sizeof(posted));
                self.qp.post_send({.wr_id = posted,
                                   .opcode = WrOpcode::kSend,
                                   .sges = {self.mr.sge(posted % kWindow * 64, 64)}});
                notifier.notify_unless_polling();
                ++posted;
            }
            if (const auto wc = self.send_cq.poll()) {
                ASSERT_EQ(status_of(*wc), WcStatus::kSuccess);
                ASSERT_EQ(wc->wr_id, sent++);
            }
            if (const auto wc = self.recv_cq.poll()) {
                ASSERT_EQ(status_of(*wc), WcStatus::kSuccess);
                uint64_t value;
                std::memcpy(&value, self.memory.data() + 1024 + wc->wr_id * 64, sizeof(value));
                ASSERT_EQ(value, received++);
                self.post_recv(wc->wr_id, 1024 + wc->wr_id * 64, 64);
            } else {
                std::this_thread::yield();
            }
        }
    };
    std::thread other([&] { play(b, notify_b); });
    play(a, notify_a);
    other.join();
}

// Verbs of one guest while the other's traffic runs.
TEST_P(Threaded, ControlVerbsRunBesideTraffic) {
    auto rnic = make(GetParam(), microseconds(20));
    End a(*rnic, "alice", 1);
    End b(*rnic, "bob", 2);
    Guest other(*rnic, "carol", 3);
    Notifier notifier(a.guest);
    connect(a.qp, b.qp);
    std::atomic<bool> done{false};
    std::thread control([&] {
        std::vector<std::byte> memory(4096);
        while (!done.load()) {
            auto mr = other.reg_mr(memory, kAllAccess);
            auto cq = other.make_cq(15);
            auto qp = other.make_qp(cq, cq);
            connect(qp, other.gid(), qp.number());
            qp.post_send({.opcode = WrOpcode::kRdmaWrite,
                          .remote_address = mr.iova,
                          .rkey = mr.rkey(),
                          .sges = {mr.sge(64, 64)}});
        }
    });
    for (uint64_t i = 0; i < 1000; ++i) {
        a.qp.post_send({.wr_id = i,
                        .opcode = WrOpcode::kRdmaRead,
                        .remote_address = b.mr.iova,
                        .rkey = b.mr.rkey(),
                        .sges = {a.mr.sge(0, 4096)}});
        notifier.notify_unless_polling();
        EXPECT_EQ(status_of(wait_for(a.send_cq)), WcStatus::kSuccess);
    }
    done.store(true);
    control.join();
}

// Receive requests ring no doorbell, so it is the sleeping worker's timer that has to
// bring the message.
TEST_P(Threaded, TimerWakesASleepingWorker) {
    auto rnic = make(GetParam(), microseconds(0));
    End a(*rnic, "alice", 1);
    End b(*rnic, "bob", 2);
    Notifier notifier(a.guest);
    connect(a.qp, b.qp, {.min_rnr_timer = 15, .rnr_retry = 7});  // 1.92 ms
    a.qp.post_send({.opcode = WrOpcode::kSend, .sges = {a.mr.sge(0, 16)}});
    notifier.notify_unless_polling();
    while (notifier.polled()) {
        std::this_thread::yield();
    }
    b.post_recv(4, 0, 16);
    EXPECT_EQ(wait_for(b.recv_cq).wr_id, 4u);
    EXPECT_EQ(status_of(wait_for(a.send_cq)), WcStatus::kSuccess);
}

// The responder fails on the requester's worker, and its own, which sleeps, has to
// flush its queues.
TEST_P(Threaded, FailingAPeerWakesThePeersWorker) {
    auto rnic = make(GetParam(), microseconds(0));
    End a(*rnic, "alice", 1);
    End b(*rnic, "bob", 2);
    Notifier notifier(a.guest);
    connect(a.qp, b.qp);
    b.post_recv(4, 0, 16);
    a.qp.post_send({.opcode = WrOpcode::kRdmaWrite,
                    .remote_address = b.mr.iova,
                    .rkey = b.mr.rkey() ^ 0x100,
                    .sges = {a.mr.sge(0, 16)}});
    notifier.notify_unless_polling();
    EXPECT_EQ(status_of(wait_for(a.send_cq)), WcStatus::kRemoteAccessError);
    const auto wc = wait_for(b.recv_cq);
    EXPECT_EQ(wc.wr_id, 4u);
    EXPECT_EQ(status_of(wc), WcStatus::kFlushed);
}

// Two senders on different workers share one receiver's SRQ and CQ.
TEST_P(Threaded, SendersOfDifferentGuestsShareAReceiveQueue) {
    constexpr uint64_t kMessages = 1000;
    auto rnic = make(GetParam(), microseconds(20));
    End a(*rnic, "alice", 1);
    End b(*rnic, "bob", 2);
    Guest server(*rnic, "carol", 3);
    std::vector<std::byte> memory(4096);
    auto mr = server.reg_mr(memory, kAllAccess);
    auto cq = server.make_cq(63);
    auto srq = server.make_srq(15, 1);
    auto for_a = server.make_qp(cq, cq, {}, &srq);
    auto for_b = server.make_qp(cq, cq, {}, &srq);
    connect(a.qp, for_a, {.rnr_retry = 7});
    connect(b.qp, for_b, {.rnr_retry = 7});
    Notifier notify_a(a.guest);
    Notifier notify_b(b.guest);
    const auto send = [](End& self, Notifier& notifier) {
        for (uint64_t i = 0; i < kMessages; ++i) {
            self.qp.post_send({.opcode = WrOpcode::kSend, .sges = {self.mr.sge(0, 16)}});
            notifier.notify_unless_polling();
            ASSERT_EQ(status_of(wait_for(self.send_cq)), WcStatus::kSuccess);
        }
    };
    std::thread first([&] { send(a, notify_a); });
    std::thread second([&] { send(b, notify_b); });
    uint64_t posted = 0, received = 0;
    std::map<uint32_t, uint64_t> by_qp;
    while (received < 2 * kMessages) {
        while (posted < 2 * kMessages && posted - received < 8) {
            srq.post(posted, std::array{mr.sge(posted % 16 * 64, 64)});
            ++posted;
        }
        if (const auto wc = cq.poll()) {
            ASSERT_EQ(status_of(*wc), WcStatus::kSuccess);
            ++by_qp[wc->qp_num];
            ++received;
        } else {
            std::this_thread::yield();
        }
    }
    first.join();
    second.join();
    EXPECT_EQ(by_qp[for_a.number()], kMessages);
    EXPECT_EQ(by_qp[for_b.number()], kMessages);
}

}  // namespace
}  // namespace vrdma::embedded::test
