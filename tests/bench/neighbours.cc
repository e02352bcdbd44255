// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What an honest guest has of the embedded RNIC, alone and beside a neighbour. The engine is
// stepped on this thread, and its steps alone are timed, by the thread's CPU time: from the guest's
// posting to its completion the worker's time is the guest's latency, whoever's work it does.
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "connection.h"
#include "neighbours.h"

namespace {

using namespace vrdma::embedded;
using bench::Attack;

constexpr uint32_t kBytes = 64;
constexpr unsigned kRounds = 9;
constexpr unsigned kMessages = 256;       // of a round
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

// The honest guest, which writes to its peer.
class Guest {
  public:
    explicit Guest(bench::Connection& connection)
        : rnic_(*connection.rnic), qp_(connection.a.qp), cq_(connection.a.send_cq) {
        wr_ = {.opcode = WrOpcode::kRdmaWrite,
               .remote_address = connection.b.mr.iova,
               .rkey = connection.b.mr.rkey(),
               .sges = {connection.a.mr.sge(0, kBytes)}};
    }

    // Nanoseconds of the worker for a message, with at most `depth` of them posted.
    double round(unsigned depth, Attack* attack) {
        unsigned posted = 0;
        unsigned done = 0;
        for (unsigned steps = 0; done < kMessages; ++steps) {
            if (steps == kMostSteps) {
                fail("the honest guest starves");
            }
            for (; posted < kMessages && posted - done < depth; ++posted) {
                if (!qp_.post_send(wr_)) {
                    fail("the send queue is full");
                }
            }
            if (attack != nullptr) {
                attack->renew();
            }
            timer_.step(rnic_);
            while (const auto wc = cq_.poll()) {
                if (wc->status != 0) {
                    fail("a message failed");
                }
                ++done;
            }
        }
        return static_cast<double>(timer_.take()) / kMessages;
    }

    // The median of some rounds.
    double measure(unsigned depth, Attack* attack) {
        std::vector<double> rounds;
        for (unsigned i = 0; i < kRounds; ++i) {
            rounds.push_back(round(depth, attack));
        }
        std::nth_element(rounds.begin(), rounds.begin() + kRounds / 2, rounds.end());
        return rounds[kRounds / 2];
    }

  private:
    EmbeddedRnic& rnic_;
    test::ClientQp& qp_;
    test::ClientCq& cq_;
    test::SendWr wr_;
    StepTimer timer_;
};

struct Figure {
    const char* name;
    unsigned depth;
};
constexpr Figure kFigures[] = {
    {"ns of the worker, one 64-byte write at a time", 1},
    {"ns of the worker, 64 writes posted", 64},
};

}  // namespace

// Prints a line for each attack and figure: the names, alone, beside, and whether it is an attack
// or an ordinary neighbour, separated by tabs.
int main() {
    for (const bench::AttackKind& kind : bench::attack_kinds()) {
        bench::Connection connection(4096);
        Guest guest(connection);
        guest.round(64, nullptr);
        std::vector<double> alone;
        for (const Figure& figure : kFigures) {
            alone.push_back(guest.measure(figure.depth, nullptr));
        }
        const auto attack = kind.make(*connection.rnic);
        for (size_t i = 0; i < std::size(kFigures); ++i) {
            std::printf("%s\t%s\t%.1f\t%.1f\t%s\n", kind.name, kFigures[i].name, alone[i],
                        guest.measure(kFigures[i].depth, attack.get()),
                        kind.ordinary ? "ordinary" : "attack");
            std::fflush(stdout);
        }
    }
    return 0;
}
