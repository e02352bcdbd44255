// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// How much one guest may have of something, and how much it has.
#pragma once

#include <fmt/format.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "limit_counter.h"
#include "limit_log.h"
#include "result.h"

namespace vrdma {

class Budget;

// A part of a budget, taken as long as the charge lives.
class Charge {
  public:
    Charge() = default;  // of nothing
    Charge(Charge&& other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)), amount_(other.amount_) {}
    Charge& operator=(Charge&& other) noexcept {
        Charge moved(std::move(other));
        std::swap(budget_, moved.budget_);
        std::swap(amount_, moved.amount_);
        return *this;
    }
    Charge(const Charge&) = delete;
    Charge& operator=(const Charge&) = delete;
    inline ~Charge();

    uint64_t amount() const { return amount_; }

  private:
    friend class Budget;
    Charge(Budget& budget, uint64_t amount) : budget_(&budget), amount_(amount) {}

    Budget* budget_ = nullptr;
    uint64_t amount_ = 0;
};

// An amount with a limit.  The limit may change at any time; one that is lowered below what is in
// use takes nothing away.  Any thread.
class Budget {
  public:
    // `key` is the limit's in the configuration, `name` the plural for the log; both have static
    // storage.  `log` outlives the budget, which outlives its charges.
    Budget(const char* key, const char* name, uint64_t limit, LimitLog& log)
        : key_(key), name_(name), log_(log), limit_(limit), reached_(log.signal()) {}
    Budget(const Budget&) = delete;
    Budget& operator=(const Budget&) = delete;

    const char* key() const { return key_; }
    uint64_t limit() const { return limit_.load(std::memory_order_relaxed); }
    uint64_t used() const { return used_.load(std::memory_order_relaxed); }
    // How often somebody wanted more than there was.
    uint64_t times_reached() const { return reached_.times(); }
    void set_limit(uint64_t limit) { limit_.store(limit, std::memory_order_relaxed); }

    // EDQUOT, or `error`, and a line in the log when there is no room for `amount` more.
    Result<void> check(uint64_t amount = 1, Errno error = Errno{EDQUOT}) {
        const uint64_t used = this->used();
        if (has_room(used, amount)) {
            return {};
        }
        return fail(refuse(used, amount, error));
    }

    // As check() and charge(), for what is no verb: whoever asks logs by himself that it reached a
    // limit, in the words of the error.  check_beside() compares with `used`, a part of what is in
    // use, and charge_within() takes up to `times` the limit.
    tl::expected<void, std::string> check_beside(uint64_t used, uint64_t amount) {
        if (has_room(used, amount)) {
            return {};
        }
        return tl::unexpected(count_refusal(used, amount));
    }
    tl::expected<Charge, std::string> charge_within(uint64_t times, uint64_t amount) {
        uint64_t used = 0;
        if (!take_room(amount, times, used)) {
            return tl::unexpected(count_refusal(used, amount, times));
        }
        return Charge(*this, amount);
    }

    // As check(), and takes the amount if there is room.
    Result<Charge> charge(uint64_t amount = 1) {
        uint64_t used = 0;
        if (!take_room(amount, 1, used)) {
            return fail(refuse(used, amount, Errno{EDQUOT}));
        }
        return Charge(*this, amount);
    }

    // Takes the amount, whether or not there is room.
    Charge take(uint64_t amount = 1) {
        used_.fetch_add(amount, std::memory_order_relaxed);
        return {*this, amount};
    }

  private:
    friend class Charge;

    uint64_t limit(uint64_t times) const {
        uint64_t product = 0;
        return __builtin_mul_overflow(limit(), times, &product) ? UINT64_MAX : product;
    }

    bool has_room(uint64_t used, uint64_t amount, uint64_t times = 1) const {
        const uint64_t limit = this->limit(times);
        return amount <= limit && used <= limit - amount;
    }

    // Whether there was room; if not, `used` is what was in use.
    bool take_room(uint64_t amount, uint64_t times, uint64_t& used) {
        used = this->used();
        do {
            if (!has_room(used, amount, times)) {
                return false;
            }
        } while (!used_.compare_exchange_weak(used, used + amount, std::memory_order_relaxed));
        return true;
    }

    std::string count_refusal(uint64_t used, uint64_t amount, uint64_t times = 1) {
        reached_.count();
        return fmt::format(
            "{} {}, of which {} are in use and {} more are wanted; raise '{}' if the guest may "
            "have more",
            limit(times), name_, used, amount, key_);
    }

    Errno refuse(uint64_t used, uint64_t amount, Errno error) {
        return log_.reached(error, "{}", count_refusal(used, amount));
    }

    const char* const key_;
    const char* const name_;
    LimitLog& log_;
    std::atomic<uint64_t> limit_;
    std::atomic<uint64_t> used_ = 0;
    LimitCounter reached_;
};

inline Charge::~Charge() {
    if (budget_ != nullptr) {
        budget_->used_.fetch_sub(amount_, std::memory_order_relaxed);
    }
}

}  // namespace vrdma
