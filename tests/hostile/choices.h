// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <span>

namespace vrdma::hostile {

// What decides for an attacker: a seeded generator, or the input of a fuzzer.
class Choices {
  public:
    virtual ~Choices() = default;

    // Any number.
    virtual uint64_t number() = 0;

    // A number below `count`, which is not 0.
    uint64_t below(uint64_t count) { return number() % count; }
    bool one_in(uint64_t count) { return below(count) == 0; }

    template <typename T>
    T pick(std::initializer_list<T> values) {
        return values.begin()[below(values.size())];
    }

    // Numbers around limits, and small ones.
    uint32_t odd_number() {
        return pick<uint32_t>({0, 0, 1, 1, 2, 3, 7, 64, 255, 4095, 4096, 65535, 65536, 0x7fffffff,
                               0x80000000, 0xfffffffe, 0xffffffff,
                               static_cast<uint32_t>(number())});
    }

    void fill(std::span<std::byte> bytes) {
        for (std::byte& byte : bytes) {
            byte = static_cast<std::byte>(number());
        }
    }
};

class RandomChoices : public Choices {
  public:
    explicit RandomChoices(uint64_t seed) : random_(seed) {}
    uint64_t number() override { return random_(); }

  private:
    std::mt19937_64 random_;
};

}  // namespace vrdma::hostile
