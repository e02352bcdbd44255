// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What verbs may do while all workers stand still, and how often.
#include <atomic>
#include <optional>
#include <thread>

#include "fixture.h"
#include "rnic/embedded/rings/rxe_abi.h"
#include "rnic/embedded/sync/handle_table.h"
#include "rnic/embedded/sync/slot_table.h"
#include "rnic/embedded/verbs/guest_gate.h"
#include "support/fake_memory.h"
#include "support/recording_sink.h"

namespace vrdma::embedded::test {
namespace {

// Time passes when somebody waits.
class WaitedClock final : public FakeClock {
  public:
    void sleep_ns(uint64_t duration) override {
        FakeClock::sleep_ns(duration);
        advance(duration);
        longest = std::max(longest, duration);
    }
    uint64_t longest = 0;
};

struct Parking : ::testing::Test {
    void pause(GuestGate& guest, uint64_t lasting_ns) {
        const GuestGate::Pause pause(guest);
        clock.advance(lasting_ns);
    }

    // The cost of `pauses` Pauses that each last so long, made by the guests in turn, and what the
    // clock said meanwhile.
    struct Cost {
        double pauses;
        double elapsed;
    };
    Cost pause_in_turn(std::span<GuestGate* const> guests, uint64_t pauses, uint64_t each_ns) {
        const uint64_t start = clock.now_ns();
        for (uint64_t i = 0; i < pauses; ++i) {
            pause(*guests[i % guests.size()], each_ns);
        }
        return {static_cast<double>(pauses * (each_ns + GuestGate::kParking.count())),
                static_cast<double>(clock.now_ns() - start)};
    }

    static constexpr double kHalf = 1.0 / PauseShares::kHalf;
    static constexpr double kBurst = static_cast<double>(PauseShares::kBurst.count());

    WaitedClock clock;
    Gate gate;
    PauseShares shares;
    GuestGate mallory{gate, clock, shares, "mallory"};
    GuestGate alice{gate, clock, shares, "alice"};
};

TEST_F(Parking, TakesAGuestsShareOfTheTimeAndNoMore) {
    GuestGate* const guests[] = {&mallory};
    constexpr uint64_t kPauses = 10'000;
    const Cost cost = pause_in_turn(guests, kPauses, 3'000);
    // One of two guests has half of the first half, and what is common. The Pause that uses it up
    // is more than the share.
    const double share = cost.elapsed * (kHalf / 2 + kHalf);
    EXPECT_LE(cost.pauses, share + 2 * kBurst);
    EXPECT_GE(cost.pauses, share) << "the guest has its share";
    EXPECT_EQ(gate.pauses(), kPauses);
}

TEST_F(Parking, TakesNoMoreOfTheTimeWhenManyGuestsDoIt) {
    std::vector<std::unique_ptr<GuestGate>> more;
    std::vector<GuestGate*> guests;
    for (unsigned i = 0; i < 22; ++i) {
        more.push_back(
            std::make_unique<GuestGate>(gate, clock, shares, "guest " + std::to_string(i)));
        guests.push_back(more.back().get());
    }
    const Cost cost = pause_in_turn(guests, 20'000, 3'000);
    EXPECT_LE(cost.pauses, cost.elapsed * 2 * kHalf + 2 * kBurst);
    const uint64_t slept = clock.slept_ns();
    pause(alice, 3'000);
    EXPECT_EQ(clock.slept_ns(), slept) << "who has made none waits for nobody";
}

TEST_F(Parking, IsNotForgottenWithTheGuestsPort) {
    const uint64_t start = clock.now_ns();
    constexpr uint64_t kPauses = 10'000;
    for (uint64_t i = 0; i < kPauses; ++i) {
        GuestGate again{gate, clock, shares, "resets"};
        pause(again, 3'000);
    }
    const auto cost = static_cast<double>(kPauses * (3'000 + GuestGate::kParking.count()));
    EXPECT_LE(cost, static_cast<double>(clock.now_ns() - start) * 2 * kHalf + 2 * kBurst);
}

// A device that is reset opens its port again.
TEST(ParkingPorts, OpeningPortsForEverIsCharged) {
    auto clock = std::make_shared<WaitedClock>();
    const auto rnic =
        make_embedded_rnic({.threads = 0, .clock = clock}, vrdma::test::silent_logger());
    vrdma::test::RecordingSink sink;
    const uint64_t start = clock->now_ns();
    constexpr uint64_t kPorts = 10'000;
    for (uint64_t i = 0; i < kPorts; ++i) {
        ASSERT_TRUE(rnic->open_port("mallory", sink));
    }
    // A port that opens is charged and does not wait, so that it may run into debt.
    const auto cost = static_cast<double>(rnic->pauses()) * GuestGate::kParking.count();
    EXPECT_GE(rnic->pauses(), 2 * kPorts);
    EXPECT_LE(cost, static_cast<double>(clock->now_ns() - start) * 2 / PauseShares::kHalf +
                        3.0 * PauseShares::kBurst.count() + 2.0 * GuestGate::kParking.count());
}

TEST_F(Parking, CostsOnlyTheGuestThatDoesIt) {
    for (unsigned i = 0; i < 10'000; ++i) {
        pause(mallory, 3'000);
    }
    const uint64_t slept = clock.slept_ns();
    EXPECT_GT(slept, 0u);
    pause(alice, 3'000);
    EXPECT_EQ(clock.slept_ns(), slept);
}

TEST_F(Parking, IsFreeForAGuestThatDoesItNowAndThen) {
    for (unsigned i = 0; i < 1'000; ++i) {
        pause(alice, 1'000);
        clock.advance(100'000);
    }
    EXPECT_EQ(clock.slept_ns(), 0u);
}

// The host may take the CPU away from a verb for as long as it likes.
TEST_F(Parking, IsNotChargedForWhatTheHostDoes) {
    for (unsigned i = 0; i < 100; ++i) {
        pause(mallory, 1'000'000'000);
    }
    for (unsigned i = 0; i < 1'000; ++i) {
        pause(mallory, 100'000'000);
    }
    const uint64_t most =
        PauseShares::kHalf * shares.guests() *
        static_cast<uint64_t>(GuestGate::kLongest.count() + GuestGate::kParking.count());
    EXPECT_LE(clock.longest, most);
}

TEST(SlotTable, GrowsByARoomThatWasMadeBefore) {
    std::array<int, 100> objects{};
    SlotTable<int> table(1);
    for (uint32_t i = 0; i < objects.size(); ++i) {
        SlotTable<int>::Room room = table.make_room();
        EXPECT_EQ(table.insert(objects[i], room), i + 1);
    }
    EXPECT_EQ(table.at(0), nullptr);
    for (uint32_t i = 0; i < objects.size(); ++i) {
        EXPECT_EQ(table.at(i + 1), &objects[i]);
    }
    EXPECT_EQ(table.at(table.size()), nullptr);
}

TEST(SlotTable, GivesTheNumberThatIsUnusedForTheLongestTime) {
    std::array<int, 16> objects{};
    SlotTable<int> table(0);
    SlotTable<int>::Room room = table.make_room();
    for (int& object : objects) {
        table.insert(object, room);
    }
    for (const uint32_t number : {7u, 3u, 11u}) {
        ++table.variant(number);
        table.erase(number);
        EXPECT_EQ(table.at(number), nullptr);
    }
    room = table.make_room();
    for (const uint32_t number : {7u, 3u, 11u}) {
        EXPECT_EQ(table.insert(objects[0], room), number);
        EXPECT_EQ(table.variant(number), 1);
    }
}

TEST(HandleTable, HasNothingWhereNothingWasSet) {
    int object = 0;
    HandleTable<int*> table;
    auto room = table.make_room(1000);
    table.set(1000, &object, room);
    EXPECT_EQ(table.at(1000), &object);
    EXPECT_EQ(table.at(999), nullptr);
    EXPECT_EQ(table.at(1'000'000), nullptr);
    table.clear(1000);
    table.clear(1'000'000);
    EXPECT_EQ(table.at(1000), nullptr);
}

// The regions of a guest's kernel follow its memory in parts.
TEST_F(SteppedRnic, RegionsOfAllMemoryFollowItsChangeInParts) {
    constexpr unsigned kRegions = 600;
    Guest guest(*rnic, "alice", 1);
    vrdma::test::FakeMemory ram{1 << 20, 0x10000};
    std::vector<ClientMr> regions;
    for (unsigned i = 0; i < kRegions; ++i) {
        regions.push_back(guest.get_dma_mr(kAllAccess, 0));
    }
    const uint64_t before = rnic->pauses();
    guest.port->set_memory(ram.as_guest_memory());
    EXPECT_EQ(rnic->pauses() - before, 3u) << "256 in each";
}

// While the state of all guests is handed over, workers stand still all the time.
TEST_F(Parking, PausesDuringAStopGoOnAndCostNothing) {
    std::optional<Gate::Stop> stop(gate);
    for (int n = 0; n < 1'000; ++n) {
        pause(mallory, 100'000);
    }
    EXPECT_EQ(clock.slept_ns(), 0u);
    std::thread other([this] { pause(alice, 0); });
    other.join();
    stop.reset();
    EXPECT_FALSE(gate.is_stopped());
    pause(mallory, 0);
    EXPECT_EQ(clock.slept_ns(), 0u);
}

TEST_F(Parking, NoWorkerEntersDuringAStop) {
    std::optional<Gate::Stop> stop(gate);
    std::atomic<bool> inside = false;
    std::thread worker([this, &inside] {
        gate.enter();
        inside = true;
        gate.leave();
    });
    {
        // The end of a Pause does not let the worker in.
        const Gate::Pause pause(gate);
    }
    EXPECT_FALSE(inside);
    stop.reset();
    worker.join();
    EXPECT_TRUE(inside);
}

}  // namespace
}  // namespace vrdma::embedded::test
