// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "budget.h"
#include "result.h"

namespace vrdma::memory {

// Owns a shared mapping of a file in this process.
class Mapping {
  public:
    // What a mapping takes of its machine's budgets.
    struct Charges {
        Charge bytes;
        Charge slot;
    };

    Mapping() = default;
    Mapping(Mapping&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)),
          size_(std::exchange(other.size_, 0)),
          charges_(std::move(other.charges_)) {}
    Mapping& operator=(Mapping&& other) noexcept;
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    ~Mapping();

    // Maps `size` bytes of `fd` from `offset`, readable and writable.  Sizes and
    // offsets are in bytes, the offset page-aligned.  The errors are those of mmap(2).
    static Result<Mapping> map(int fd, uint64_t offset, size_t size);

    // Keeps `charges` for as long as the memory is mapped.
    void keep(Charges charges) { charges_ = std::move(charges); }

    std::byte* data() const { return data_; }
    size_t size() const { return size_; }

  private:
    Mapping(std::byte* data, size_t size) : data_(data), size_(size) {}

    std::byte* data_ = nullptr;
    size_t size_ = 0;
    Charges charges_;
};

}  // namespace vrdma::memory
