// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "control/events.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "commanding_guest.h"
#include "control_fixture.h"
#include "limit_counter.h"

namespace vrdma::daemon {
namespace {

using nlohmann::json;

using EventsTest = ControlTest;

// The next notification's parameters.
json next(ControlClient& client) {
    const json document = client.document();
    EXPECT_EQ(document.value("method", ""), "event");
    EXPECT_FALSE(document.contains("id"));
    return document.value("params", json());
}

TEST_F(EventsTest, AFollowerHearsOfAVmmThatComesResetsAndGoes) {
    serve();
    ControlClient follower = client();
    EXPECT_EQ(follower.result("events", {{"follow", true}}),
              (json{{"events", json::array()}, {"follow", true}}));
    {
        test::FakeVmm vmm(socket_of("b"));
        const json connected = next(follower);
        EXPECT_EQ(connected.at("event"), "connected");
        EXPECT_EQ(connected.at("guest"), "b");
        EXPECT_TRUE(connected.contains("time"));
        vmm.negotiate();
        vmm.send(vhost::Request::kResetDevice);
        EXPECT_EQ(next(follower).at("event"), "reset");
    }
    EXPECT_EQ(next(follower).at("event"), "disconnected");
    // Who comes later sees the same.
    const json history = client().result("events").at("events");
    ASSERT_EQ(history.size(), 3U);
    EXPECT_EQ(history[2].at("event"), "disconnected");
}

TEST_F(EventsTest, WhoDoesNotFollowHearsNothing) {
    serve();
    ControlClient follower = client();
    ControlClient other = client();
    follower.result("events", {{"follow", true}});
    other.result("events");
    const test::FakeVmm vmm(socket_of("a"));
    EXPECT_EQ(next(follower).at("event"), "connected");
    EXPECT_TRUE(other.ask("version").contains("result")) << "and no notification before it";
    follower.result("events", {{"follow", false}});
}

TEST_F(EventsTest, AFollowerThatSendsNothingMoreStillHears) {
    serve();
    ControlClient follower = client();
    follower.result("events", {{"follow", true}});
    follower.end_sending();
    const test::FakeVmm vmm(socket_of("a"));
    EXPECT_EQ(next(follower).at("event"), "connected");
}

TEST_F(EventsTest, ALimitThatIsReachedIsAnEvent) {
    config_.vms[0].limits.memory_slots = 1;
    serve();
    ControlClient follower = client();
    follower.result("events", {{"follow", true}});
    test::FakeVmm vmm(socket_of("a"));
    EXPECT_EQ(next(follower).at("event"), "connected");
    vmm.negotiate();
    test::FakeMemory memory;
    memory.add_region(uint64_t{1} << 32, 1 << 20);
    vmm.share(memory);
    json event = next(follower);
    while (event.at("event") != "limit_reached") {
        event = next(follower);  // the daemon refuses the memory and the VMM has to come again
    }
    EXPECT_EQ(event.at("guest"), "a");
    EXPECT_EQ(event.at("key"), "memory_slots");
    EXPECT_EQ(event.at("limit"), 1);
    EXPECT_GE(event.at("times"), 1);
}

TEST_F(EventsTest, AGuestThatIsAddedDrainedAndRemovedIsAnEventEach) {
    serve();
    ControlClient follower = client();
    follower.result("events", {{"follow", true}});
    ControlClient asking = client();
    asking.result("add", {{"guest", "c"}, {"configuration", {{"socket", socket_of("c")}}}});
    asking.result("drain", {{"guest", "c"}});
    asking.result("drain", {{"guest", "c"}, {"off", true}});
    asking.result("remove", {{"guest", "c"}});
    std::vector<std::string> kinds;
    std::vector<json> off;
    for (int i = 0; i < 4; ++i) {
        const json event = next(follower);
        EXPECT_EQ(event.at("guest"), "c");
        kinds.push_back(event.at("event"));
        off.push_back(event.value("off", json()));
    }
    EXPECT_EQ(kinds, (std::vector<std::string>{"added", "drained", "drained", "removed"}));
    EXPECT_EQ(off, (std::vector<json>{nullptr, false, true, nullptr}));
}

TEST_F(EventsTest, WhatAReloadAddsAndRemovesAreEvents) {
    file_ = folder_ / "vrdmad.toml";
    std::ofstream(file_) << "[[vm]]\nname = \"c\"\nsocket = \"" << socket_of("c") << "\"\n";
    serve();
    ControlClient follower = client();
    follower.result("events", {{"follow", true}});
    client().result("reload");
    std::multiset<std::string> told;
    for (int i = 0; i < 3; ++i) {
        const json event = next(follower);
        told.insert(event.at("event").get<std::string>() + " " +
                    event.at("guest").get<std::string>());
    }
    EXPECT_EQ(told, (std::multiset<std::string>{"added c", "removed a", "removed b"}));
}

TEST_F(EventsTest, ADrainedGuestThatFreesItsLastObjectIsAnEvent) {
    serve();
    ControlClient follower = client();
    follower.result("events", {{"follow", true}});
    test::CommandingGuest guest(socket_of("a"));
    EXPECT_EQ(next(follower).at("event"), "connected");
    guest.dealloc_ucontext(guest.alloc_ucontext());  // no event: it is not drained
    const uint32_t first = guest.alloc_ucontext();
    const uint32_t last = guest.alloc_ucontext();
    client().result("drain", {{"guest", "a"}});
    EXPECT_EQ(next(follower).at("event"), "drained");
    guest.dealloc_ucontext(first);
    guest.dealloc_ucontext(last);
    EXPECT_EQ(next(follower).at("event"), "emptied");
    client().result("drain", {{"guest", "a"}, {"off", true}});
    EXPECT_EQ(next(follower).at("event"), "drained") << "and one for the last object alone";
}

TEST_F(EventsTest, ALimitThatIsReachedAgainIsAnotherEvent) {
    config_.vms[0].limits.memory_slots = 1;
    serve();
    ControlClient follower = client();
    follower.result("events", {{"follow", true}});
    for (int time = 0; time < 2; ++time) {
        test::FakeVmm vmm(socket_of("a"));
        vmm.negotiate();
        test::FakeMemory memory;
        memory.add_region(uint64_t{1} << 32, 1 << 20);
        vmm.share(memory);
        while (next(follower).at("event") != "limit_reached") {
        }
    }
}

TEST(LimitSignalTest, IsReadableFromTheFirstCountUntilItIsLowered) {
    const auto signal = std::make_shared<LimitSignal>();
    const auto is_raised = [&] {
        pollfd polled{signal->fd(), POLLIN, 0};
        return ::poll(&polled, 1, 0) == 1;
    };
    LimitCounter first(signal);
    LimitCounter second(signal);
    EXPECT_FALSE(is_raised());
    first.count();
    second.count();
    EXPECT_TRUE(is_raised());
    signal->lower();
    EXPECT_FALSE(is_raised());
    EXPECT_EQ(first.times(), 1U);
    second.count();
    EXPECT_TRUE(is_raised()) << "what is counted later raises it again";
    EXPECT_EQ(second.times(), 2U);
}

TEST(LimitSignalTest, LosesNoCountOfAnotherThread) {
    constexpr uint64_t kTimes = 100'000;
    const auto signal = std::make_shared<LimitSignal>();
    LimitCounter counter(signal);
    std::thread guest([&] {
        for (uint64_t i = 0; i < kTimes; ++i) {
            counter.count();
        }
    });
    uint64_t seen = 0;
    while (seen < kTimes) {
        pollfd polled{signal->fd(), POLLIN, 0};
        ASSERT_EQ(::poll(&polled, 1, 60'000), 1) << "after " << seen;
        signal->lower();
        seen = counter.times();
    }
    guest.join();
}

TEST(EventQueueTest, AGuestThatMakesManyLeavesRoomForTheOthers) {
    control::EventQueue queue;
    for (int i = 0; i < 1000; ++i) {
        queue.push(event_kind::kReset, "loud");
    }
    queue.push(event_kind::kReset, "quiet");
    const auto events = queue.take();
    ASSERT_GE(events.size(), control::EventQueue::kBurst + 1);
    // At most one more for each second that the loop took.
    EXPECT_LT(events.size(), 200U);
    EXPECT_EQ(events.back().guest, "quiet");
    EXPECT_TRUE(queue.take().empty());
}

TEST(EventQueueTest, AnEventSaysHowManyWereLeftOut) {
    const control::Event event{
        .kind = event_kind::kReset, .guest = "a", .details = {{"key", 1}}, .missed = 7, .time = {}};
    const json document = to_json(event);
    EXPECT_EQ(document, (json{{"event", "reset"},
                              {"guest", "a"},
                              {"key", 1},
                              {"missed", 7},
                              {"time", "1970-01-01T00:00:00.000Z"}}));
}

TEST(EventHistoryTest, TheOldestGoFirst) {
    control::EventHistory history;
    for (size_t i = 0; i < control::EventHistory::kSize + 3; ++i) {
        history.add(i);
    }
    EXPECT_EQ(history.all().size(), control::EventHistory::kSize);
    EXPECT_EQ(history.all().front(), 3);
}

}  // namespace
}  // namespace vrdma::daemon
