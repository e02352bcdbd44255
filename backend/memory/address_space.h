// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace vrdma::memory {

// Counts the address space of this process that one machine's memory takes up.  Any thread.
class AddressSpace : public std::enable_shared_from_this<AddressSpace> {
  public:
    struct Use {
        uint64_t bytes = 0;
        uint64_t mappings = 0;
    };

    // One mapping, counted for as long as the object lives.
    class Share {
      public:
        Share() = default;
        Share(Share&& other) noexcept = default;
        Share& operator=(Share&& other) noexcept {
            std::swap(space_, other.space_);
            std::swap(bytes_, other.bytes_);
            return *this;
        }
        ~Share() {
            if (space_ != nullptr) {
                space_->give_back(bytes_);
            }
        }

      private:
        friend AddressSpace;
        Share(std::shared_ptr<AddressSpace> space, uint64_t bytes)
            : space_(std::move(space)), bytes_(bytes) {}

        std::shared_ptr<AddressSpace> space_;
        uint64_t bytes_ = 0;
    };

    // Counts a mapping of `bytes` bytes, unless the machine had more than `limit` with it.
    std::optional<Share> take(uint64_t bytes, const Use& limit) {
        const std::lock_guard lock(mutex_);
        if (bytes > limit.bytes || used_.bytes > limit.bytes - bytes ||
            used_.mappings >= limit.mappings) {
            return std::nullopt;
        }
        used_.bytes += bytes;
        ++used_.mappings;
        return Share(shared_from_this(), bytes);
    }

    uint64_t used() const {
        const std::lock_guard lock(mutex_);
        return used_.bytes;
    }

  private:
    void give_back(uint64_t bytes) {
        const std::lock_guard lock(mutex_);
        used_.bytes -= bytes;
        --used_.mappings;
    }

    mutable std::mutex mutex_;
    Use used_;
};

}  // namespace vrdma::memory
