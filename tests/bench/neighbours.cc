// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What an honest guest has of the embedded RNIC, alone and beside a neighbour. The engine is
// stepped on this thread, and its steps alone are timed: from the guest's posting to its completion
// the worker's time is the guest's latency, whoever's work it does. A clock of CPU time would be a
// system call, which takes longer than a step and differs more than what is to be seen; so the
// clock is the machine's, and the median of many short rounds counts, which nobody interrupts.
//
// Alone, the neighbour rests, and another one like it is busy with another RNIC, whose steps are
// not timed. A message of a third RNIC goes before each step that is timed. So both times see the
// same data and the same code in the caches, and differ by the work that the honest guest waits
// for.
//
// With the argument "instructions", callgrind counts instead of the clock:
//
//   valgrind --tool=callgrind --toggle-collect='vrdma::embedded::bench::step(*)'
//            --dump-before='vrdma::embedded::bench::end_figure()' neighbours instructions
//
// writes a file with the instructions of the steps of each figure, alone and then beside.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "connection.h"
#include "neighbours.h"

namespace vrdma::embedded::bench {

// Not inlined: callgrind knows these two by their names.
[[gnu::noinline]] void step(EmbeddedRnic& rnic) {
    rnic.poll_once();
}
[[gnu::noinline]] void end_figure() {
    asm volatile("");
}

}  // namespace vrdma::embedded::bench

namespace {

using namespace vrdma::embedded;
using bench::Attack;

constexpr uint32_t kBytes = 64;
constexpr uint8_t kResting = 99;  // the address of a neighbour that rests
constexpr unsigned kRounds = 21;
constexpr unsigned kMessages = 1024;  // of a round
constexpr auto kVerbTime = std::chrono::milliseconds(500);
constexpr unsigned kFirstPauses = 1000;
constexpr unsigned kMostSteps = 1 << 20;  // for a round, after which the guest counts as starved

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "neighbours: %s\n", what);
    std::exit(1);
}

uint64_t now_ns() {
    return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

// The worker's time for steps, without what it takes to read the clock.
class StepTimer {
  public:
    StepTimer() {
        uint64_t least = UINT64_MAX;
        for (unsigned i = 0; i < 1000; ++i) {
            const uint64_t start = now_ns();
            least = std::min(least, now_ns() - start);
        }
        overhead_ = least;
    }
    void step(EmbeddedRnic& rnic) {
        const uint64_t start = now_ns();
        bench::step(rnic);
        const uint64_t took = now_ns() - start;
        total_ += took > overhead_ ? took - overhead_ : 0;
    }
    uint64_t take() { return std::exchange(total_, 0); }

  private:
    uint64_t overhead_ = 0;
    uint64_t total_ = 0;
};

// The attacker's verbs do not keep this thread, which is the RNIC's as well, from stepping.
class SleeplessClock final : public Clock {
  public:
    uint64_t now_ns() override { return ::now_ns(); }
    void sleep_ns(uint64_t) override {}
};

template <typename Kind>
std::shared_ptr<Clock> make_clock() {
    return std::make_shared<Kind>();
}
using MakeClock = std::shared_ptr<Clock> (*)();

test::SendWr small_write(const bench::Connection& connection) {
    return {.opcode = WrOpcode::kRdmaWrite,
            .remote_address = connection.b.mr.iova,
            .rkey = connection.b.mr.rkey(),
            .sges = {connection.a.mr.sge(0, kBytes)}};
}

// An honest guest, which writes to its peer, and a neighbour of its own or another RNIC's.
class Scene {
  public:
    Scene(const bench::AttackKind& kind, bool beside, MakeClock clock)
        : connection_(4096, clock()),
          wr_(small_write(connection_)),
          third_(4096, clock()),
          third_wr_(small_write(third_)) {
        if (!beside) {
            other_ =
                make_embedded_rnic({.threads = 0, .clock = clock()}, vrdma::test::silent_logger());
            resting_.emplace(*connection_.rnic, "mallory", kResting);
        }
        attack_ = kind.make(beside ? *connection_.rnic : *other_);
    }

    // Nanoseconds of the worker for a message, with at most `depth` of them posted.
    double round(unsigned depth) {
        unsigned posted = 0;
        unsigned done = 0;
        for (unsigned steps = 0; done < kMessages; ++steps) {
            if (steps == kMostSteps) {
                fail("the honest guest starves");
            }
            for (; posted < kMessages && posted - done < depth; ++posted) {
                if (!connection_.a.qp.post_send(wr_)) {
                    fail("the send queue is full");
                }
            }
            attack_->renew();
            if (other_) {
                other_->poll_once();
            }
            third_.a.qp.post_send(third_wr_);
            third_.rnic->poll_once();
            third_.a.send_cq.poll();
            timer_.step(*connection_.rnic);
            while (const auto wc = connection_.a.send_cq.poll()) {
                if (wc->status != 0) {
                    fail("a message failed");
                }
                ++done;
            }
        }
        return static_cast<double>(timer_.take()) / kMessages;
    }

  private:
    bench::Connection connection_;
    test::SendWr wr_;
    bench::Connection third_;
    test::SendWr third_wr_;
    std::unique_ptr<EmbeddedRnic> other_;  // or none
    std::optional<test::Guest> resting_;
    std::unique_ptr<Attack> attack_;
    StepTimer timer_;
};

// Microseconds of each millisecond that a neighbour's verbs, one after the other, leave to the
// workers.
double running_time(const bench::AttackKind& kind) {
    using std::chrono::steady_clock;
    // What a worker takes to leave the gate and to come back, see GuestGate.
    constexpr std::chrono::duration<double> kParking = std::chrono::microseconds(2);
    const auto rnic = make_embedded_rnic({.threads = 0}, vrdma::test::silent_logger());
    const auto attack = kind.make(*rnic);
    // The rate at which a guest's Pauses may go on; what is saved up for the first ones is used.
    const auto begun = steady_clock::now();
    while (rnic->pauses() < kFirstPauses && steady_clock::now() - begun < kVerbTime) {
        attack->renew();
    }
    const auto pauses_before = rnic->pauses();
    const auto paused_before = rnic->paused();
    const auto start = steady_clock::now();
    do {
        attack->renew();
    } while (steady_clock::now() - start < kVerbTime);
    const std::chrono::duration<double> all = steady_clock::now() - start;
    const auto pauses = static_cast<double>(rnic->pauses() - pauses_before);
    const std::chrono::duration<double> paused = rnic->paused() - paused_before;
    return 1000 * (1 - (paused + pauses * kParking) / all);
}

double median(std::array<double, kRounds>& values) {
    std::ranges::nth_element(values, values.begin() + kRounds / 2);
    return values[kRounds / 2];
}

void print(const bench::AttackKind& kind, const char* figure, double alone, double beside) {
    const bool share = kind.figures == bench::Figures::kShare;
    std::printf("%s\t%s\t%s\t%.1f\t%.1f\n", kind.name, share ? "share" : "attack", figure, alone,
                beside);
    std::fflush(stdout);
}

struct Figure {
    const char* name;
    unsigned depth;
};
constexpr Figure kFigures[] = {
    {"worker ns for a 64-byte write, one at a time", 1},
    {"worker ns for a 64-byte write, 64 posted", 64},
};

void measure_worker(const bench::AttackKind& kind) {
    Scene alone(kind, false, make_clock<SleeplessClock>);
    Scene beside(kind, true, make_clock<SleeplessClock>);
    for (const Figure& figure : kFigures) {
        std::array<double, kRounds> alone_ns;
        std::array<double, kRounds> beside_ns;
        alone.round(figure.depth);
        beside.round(figure.depth);
        for (unsigned i = 0; i < kRounds; ++i) {
            alone_ns[i] = alone.round(figure.depth);
            beside_ns[i] = beside.round(figure.depth);
        }
        print(kind, figure.name, median(alone_ns), median(beside_ns));
    }
}

// Callgrind counts. Prints what print() does, with messages in place of the values.
void count_worker(const bench::AttackKind& kind) {
    for (const Figure& figure : kFigures) {
        for (const bool beside : {false, true}) {
            Scene scene(kind, beside, make_clock<bench::CountedClock>);
            scene.round(figure.depth);
            bench::end_figure();  // of what goes before
            scene.round(figure.depth);
            bench::end_figure();
        }
        print(kind, figure.name, kMessages, kMessages);
    }
}

}  // namespace

// Prints a line for each attack and figure, separated by tabs: the attack, "attack" or "share", the
// figure, alone, beside.
int main(int argc, char** argv) {
    const bool counts = argc == 2 && std::string_view(argv[1]) == "instructions";
    if (argc > 1 && !counts) {
        std::fputs("usage: neighbours [instructions]\n", stderr);
        return 2;
    }
    for (const bench::AttackKind& kind : bench::attack_kinds()) {
        if (counts) {
            // The instructions of an ordinary neighbour's copies say little of their time.
            if (kind.figures == bench::Figures::kWorker) {
                count_worker(kind);
            }
        } else if (kind.figures == bench::Figures::kPauses) {
            print(kind, "us of a ms that the workers may run", 1000, running_time(kind));
        } else {
            measure_worker(kind);
        }
    }
    return 0;
}
