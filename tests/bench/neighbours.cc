// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What an honest guest has of the embedded RNIC, alone and beside a neighbour. The engine is
// stepped on this thread, and its steps alone are timed, by the thread's CPU time: from the guest's
// posting to its completion the worker's time is the guest's latency, whoever's work it does.
//
// Alone, the neighbour rests, and another one like it is busy with another RNIC, whose steps are
// not timed. So both times see the same caches, and differ by the work that the honest guest waits
// for.
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "connection.h"
#include "neighbours.h"

namespace {

using namespace vrdma::embedded;
using bench::Attack;

constexpr uint32_t kBytes = 64;
constexpr uint8_t kResting = 99;  // the address of a neighbour that rests
constexpr unsigned kRounds = 15;
constexpr unsigned kMessages = 256;  // of a round
constexpr unsigned kVerbs = 100;
constexpr unsigned kMostSteps = 1 << 20;  // for a round, after which the guest counts as starved

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "neighbours: %s\n", what);
    std::exit(1);
}

uint64_t cpu_ns() {
    timespec now;
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

// The worker's time for steps, without what it takes to read the clock.
class StepTimer {
  public:
    StepTimer() {
        uint64_t least = UINT64_MAX;
        for (unsigned i = 0; i < 1000; ++i) {
            const uint64_t start = cpu_ns();
            least = std::min(least, cpu_ns() - start);
        }
        overhead_ = least;
    }
    void step(EmbeddedRnic& rnic) {
        const uint64_t start = cpu_ns();
        rnic.poll_once();
        const uint64_t took = cpu_ns() - start;
        total_ += took > overhead_ ? took - overhead_ : 0;
    }
    uint64_t take() { return std::exchange(total_, 0); }

  private:
    uint64_t overhead_ = 0;
    uint64_t total_ = 0;
};

// An honest guest, which writes to its peer, and a neighbour of its own or another RNIC's.
class Scene {
  public:
    Scene(const bench::AttackKind& kind, bool beside) : connection_(4096) {
        wr_ = {.opcode = WrOpcode::kRdmaWrite,
               .remote_address = connection_.b.mr.iova,
               .rkey = connection_.b.mr.rkey(),
               .sges = {connection_.a.mr.sge(0, kBytes)}};
        if (!beside) {
            other_ = make_embedded_rnic({.threads = 0}, vrdma::test::silent_logger());
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

    // Microseconds of each millisecond that the neighbour's verbs, one after the other, leave to
    // the workers.
    double running_time() {
        using std::chrono::steady_clock;
        const auto paused_before = connection_.rnic->paused();
        const auto start = steady_clock::now();
        for (unsigned i = 0; i < kVerbs; ++i) {
            attack_->renew();
        }
        const std::chrono::duration<double> all = steady_clock::now() - start;
        const std::chrono::duration<double> paused = connection_.rnic->paused() - paused_before;
        return 1000 * (1 - paused.count() / all.count());
    }

  private:
    bench::Connection connection_;
    std::unique_ptr<EmbeddedRnic> other_;  // or none
    std::optional<test::Guest> resting_;
    std::unique_ptr<Attack> attack_;
    test::SendWr wr_;
    StepTimer timer_;
};

double median(std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
    return values[values.size() / 2];
}

void print(const bench::AttackKind& kind, const char* figure, double alone, double beside) {
    const bool share = kind.figures == bench::Figures::kShare;
    std::printf("%s\t%s\t%s\t%.1f\t%.1f\n", kind.name, share ? "share" : "attack", figure, alone,
                beside);
    std::fflush(stdout);
}

void measure_worker(const bench::AttackKind& kind) {
    struct Figure {
        const char* name;
        unsigned depth;
    };
    constexpr Figure kFigures[] = {
        {"worker ns for a 64-byte write, one at a time", 1},
        {"worker ns for a 64-byte write, 64 posted", 64},
    };
    Scene alone(kind, false);
    Scene beside(kind, true);
    for (const Figure& figure : kFigures) {
        std::vector<double> alone_ns;
        std::vector<double> beside_ns;
        alone.round(figure.depth);
        beside.round(figure.depth);
        for (unsigned i = 0; i < kRounds; ++i) {
            alone_ns.push_back(alone.round(figure.depth));
            beside_ns.push_back(beside.round(figure.depth));
        }
        print(kind, figure.name, median(alone_ns), median(beside_ns));
    }
}

}  // namespace

// Prints a line for each attack and figure, separated by tabs: the attack, "attack" or "share", the
// figure, alone, beside.
int main() {
    for (const bench::AttackKind& kind : bench::attack_kinds()) {
        if (kind.figures == bench::Figures::kPauses) {
            print(kind, "us of a ms that the workers may run", 1000,
                  Scene(kind, true).running_time());
        } else {
            measure_worker(kind);
        }
    }
    return 0;
}
