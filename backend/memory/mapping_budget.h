// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <utility>

#include "result.h"

namespace vrdma::memory {

// How many memory mappings of this process stitching may use at a time.  The kernel limits
// them all together (vm.max_map_count), and a process at the limit cannot even start a thread.
// So a part of the limit is kept free.  Every method may be called from any thread.
class MappingBudget {
  public:
    // A share of the budget, which its destructor gives back.
    class Share {
      public:
        Share() = default;
        Share(Share&& other) noexcept
            : budget_(std::exchange(other.budget_, nullptr)), count_(other.count_) {}
        Share& operator=(Share&& other) noexcept {
            std::swap(budget_, other.budget_);
            std::swap(count_, other.count_);
            return *this;
        }
        ~Share();

      private:
        friend MappingBudget;
        Share(MappingBudget* budget, uint64_t count) : budget_(budget), count_(count) {}

        MappingBudget* budget_ = nullptr;
        uint64_t count_ = 0;
    };

    explicit MappingBudget(std::filesystem::path sysctl = "/proc/sys/vm/max_map_count");
    MappingBudget(const MappingBudget&) = delete;
    MappingBudget& operator=(const MappingBudget&) = delete;

    // Takes a share.  ENOMEM, and the reason for the log, when fewer mappings are left.  The
    // budget outlives the share.
    Result<Share> take(uint64_t count, std::string& reason);

  private:
    void give_back(uint64_t count);

    const std::filesystem::path sysctl_;
    std::mutex mutex_;
    uint64_t used_ = 0;
};

}  // namespace vrdma::memory
