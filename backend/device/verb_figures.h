// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace vrdma::device {

// How often a guest has called each verb, how often it failed, and how long the calls took.  One
// thread counts, any thread reads: what it reads of a call that ends meanwhile may lack a part.
class VerbFigures {
  public:
    // Up to where the buckets of the histogram go, in nanoseconds.  One more bucket has the rest.
    static constexpr std::array<uint64_t, 13> kBounds{
        1'000,     3'000,      10'000,     30'000,      100'000,     300'000,      1'000'000,
        3'000'000, 10'000'000, 30'000'000, 100'000'000, 300'000'000, 1'000'000'000};
    static_assert(std::ranges::is_sorted(kBounds));

    struct Verb {
        const char* name = nullptr;  // as in common/vrdma_command_table.h, in small letters
        uint64_t failures = 0;       // calls that an errno ended
        uint64_t nanoseconds = 0;    // that all calls took
        std::array<uint64_t, kBounds.size() + 1> buckets{};  // calls

        uint64_t calls() const {
            uint64_t sum = 0;
            for (const uint64_t bucket : buckets) {
                sum += bucket;
            }
            return sum;
        }
    };

    // `names` has static storage, and a name for each verb that is counted.
    explicit VerbFigures(std::vector<const char*> names)
        : names_(std::move(names)), counts_(names_.size()) {}

    // A call of the verb with this place in the list has ended.
    void count(size_t verb, bool failed, std::chrono::nanoseconds took) {
        const auto nanoseconds = static_cast<uint64_t>(std::max<int64_t>(0, took.count()));
        const auto bucket = std::ranges::lower_bound(kBounds, nanoseconds) - kBounds.begin();
        Counts& counts = counts_[verb];
        add(counts.failures, failed ? 1 : 0);
        add(counts.nanoseconds, nanoseconds);
        add(counts.buckets[static_cast<size_t>(bucket)], 1);
    }

    // The verbs that were called, in the order of the list.
    std::vector<Verb> called() const {
        std::vector<Verb> verbs;
        for (size_t i = 0; i < names_.size(); ++i) {
            Verb verb{.name = names_[i],
                      .failures = counts_[i].failures.load(std::memory_order_relaxed),
                      .nanoseconds = counts_[i].nanoseconds.load(std::memory_order_relaxed)};
            std::ranges::transform(
                counts_[i].buckets, verb.buckets.begin(),
                [](const auto& bucket) { return bucket.load(std::memory_order_relaxed); });
            if (verb.calls() != 0) {
                verbs.push_back(verb);
            }
        }
        return verbs;
    }

  private:
    struct Counts {
        std::atomic<uint64_t> failures = 0;
        std::atomic<uint64_t> nanoseconds = 0;
        std::array<std::atomic<uint64_t>, kBounds.size() + 1> buckets{};
    };

    // One thread writes: no read-modify-write that locks the bus.
    static void add(std::atomic<uint64_t>& counter, uint64_t value) {
        counter.store(counter.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
    }

    const std::vector<const char*> names_;
    std::vector<Counts> counts_;
};

}  // namespace vrdma::device
