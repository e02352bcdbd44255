// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "device/objects/limit_log.h"
#include "result.h"

namespace vrdma::device {

// One of a limited number of things, taken as long as the slot lives.
class Slot {
  public:
    explicit Slot(uint32_t& used) : used_(&used) { ++*used_; }
    Slot(Slot&& other) noexcept : used_(std::exchange(other.used_, nullptr)) {}
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    Slot& operator=(Slot&&) = delete;
    ~Slot() {
        if (used_ != nullptr) {
            --*used_;
        }
    }

  private:
    uint32_t* used_;
};

// How many things of a kind a guest may have that have no handles, and how many it has.
class SlotCount {
  public:
    // `kind` is the plural for the log and has static storage.  `log` outlives the count,
    // which outlives its slots.
    SlotCount(std::string_view kind, uint32_t limit, LimitLog& log)
        : kind_(kind), limit_(limit), log_(log) {}
    SlotCount(const SlotCount&) = delete;
    SlotCount& operator=(const SlotCount&) = delete;

    // EDQUOT and a log line that names the limit when all are taken.
    Result<Slot> take() {
        if (used_ >= limit_) {
            return fail(log_.reached("{} {}", limit_, kind_));
        }
        return Slot(used_);
    }

    uint32_t used() const { return used_; }

  private:
    const std::string_view kind_;
    const uint32_t limit_;
    uint32_t used_ = 0;
    LimitLog& log_;
};

}  // namespace vrdma::device
