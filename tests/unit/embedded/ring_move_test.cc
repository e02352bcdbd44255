// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A queue moves to another ring while workers use it: what is done under its lock is counted.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>

#include "rnic/embedded/keys/window.h"
#include "rnic/embedded/rings/ring.h"

namespace vrdma::embedded::test {
namespace {

constexpr uint32_t kElements = 50'000;
constexpr uint32_t kElementSize = 64;

// Tells when it is taken and given back.
struct WatchedLock {
    void lock() { taken(); }
    void unlock() { given(); }
    std::function<void()> taken = [] {};
    std::function<void()> given = [] {};
};

struct RingMoves : ::testing::Test {
    Ring make(uint32_t elements) const {
        return Ring::create(*memory, RingGeometry::fit(elements, kElementSize)).value();
    }
    static void write(std::byte* element, uint32_t value) {
        std::memcpy(element, &value, sizeof(value));
    }
    static uint32_t value(const Ring& ring, uint32_t index) {
        uint32_t value;
        std::memcpy(&value, ring.element(index), sizeof(value));
        return value;
    }
    // How many elements of a ring that began as zeros are there.
    static uint32_t present(const Ring& ring) {
        uint32_t count = 0;
        while (count < ring.mask() && value(ring, count) != 0) {
            ++count;
        }
        return count;
    }

    std::shared_ptr<RingMemory> memory = RingMemory::create(64 << 20).value();
    WatchedLock lock;
};

struct CompletionMoves : RingMoves {
    void complete(uint32_t count) {
        for (uint32_t i = 0; i < count; ++i) {
            std::byte* element = queue.back();
            ASSERT_NE(element, nullptr);
            write(element, ++last);
            queue.push();
        }
    }
    ProducerRing queue{make(2 * kElements)};
    uint32_t last = 0;
};

TEST_F(CompletionMoves, CopyFewUnderTheLockAndLoseNothing) {
    complete(kElements);
    Ring to = make(kElements + 1000);
    const Ring* target = &to;
    uint32_t before = 0;
    uint32_t most = 0;
    unsigned locked = 0;
    lock.taken = [&] {
        // Workers complete more as long as the lock is free.
        if (++locked == 2 || locked == 3) {
            complete(300);
        }
        before = present(*target);
    };
    lock.given = [&] {
        // Afterwards the rings are exchanged.
        const Ring& now =
            locked > 1 && queue.ring().mask() == target->mask() ? queue.ring() : *target;
        most = std::max(most, present(now) - before);
    };
    ASSERT_TRUE(RingMove(queue, to, lock).run(lock, kElements + 1000));
    EXPECT_LE(most, 64u);
    ASSERT_EQ(present(queue.ring()), kElements + 600);
    for (uint32_t i = 0; i < kElements + 600; ++i) {
        ASSERT_EQ(value(queue.ring(), i), i + 1);
    }
    complete(1);
    EXPECT_EQ(value(queue.ring(), kElements + 600), last);
}

TEST_F(CompletionMoves, ThatDoNotFitChangeNothing) {
    complete(100);
    Ring to = make(50);
    EXPECT_FALSE(RingMove(queue, to, lock).run(lock, 1000));
    Ring large = make(200);
    EXPECT_FALSE(RingMove(queue, large, lock).run(lock, 99));
    EXPECT_EQ(present(queue.ring()), 100u);
}

TEST_F(RingMoves, OfRequestsLeaveOutThoseThatAreTakenMeanwhile) {
    Ring from = make(2 * kElements);
    rxe_queue_buf* header = from.header();
    for (uint32_t i = 0; i < kElements; ++i) {
        write(from.element(i), i + 1);
    }
    memory::store(&header->producer_index, kElements, std::memory_order_release);
    ConsumerRing queue(std::move(from));
    Ring to = make(kElements);
    unsigned locked = 0;
    lock.taken = [&] {
        if (++locked == 3) {
            queue.pop();
            queue.pop();
        }
    };
    ASSERT_TRUE(RingMove(queue, to, lock).run(lock, kElements));
    EXPECT_EQ(queue.pending(), kElements - 2);
    uint32_t first;
    std::memcpy(&first, queue.front().data(), sizeof(first));
    EXPECT_EQ(first, 3u);
    EXPECT_EQ(queue.ring().header()->consumer_index, 2u);
}

TEST(WindowTable, IsSearchedInParts) {
    // Known by its address only.
    alignas(16) std::array<std::byte, 16> place{};
    const Pd& pd = *reinterpret_cast<const Pd*>(place.data());
    std::vector<std::unique_ptr<Window>> windows;
    WindowTable table;
    for (unsigned i = 0; i < 1000; ++i) {
        windows.push_back(std::make_unique<Window>(pd, Window::Type::k1));
        WindowTable::Room room = table.make_room();
        table.insert(*windows.back(), room);
    }
    const WindowOwner owner(pd, 1);
    std::vector<uint32_t> ends;
    for (uint32_t done = 0; done < table.size();) {
        done = table.forget(owner, done);
        ends.push_back(done);
    }
    EXPECT_EQ(ends, (std::vector<uint32_t>{256, 512, 768, 1024}));
}

}  // namespace
}  // namespace vrdma::embedded::test
