// SPDX-License-Identifier: Apache-2.0
#include "rnic/embedded/engine.h"

#include <algorithm>
#include <stdexcept>

#include "rnic/embedded/verbs/qp.h"

namespace vrdma::embedded {
namespace {

class SteadyClock final : public Clock {
  public:
    uint64_t now_ns() override {
        return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                         std::chrono::steady_clock::now().time_since_epoch())
                                         .count());
    }
};

const EmbeddedLimits& checked(const EmbeddedLimits& limits) {
    // A key has 24 bits for the index, one of which tells windows from regions; handles of
    // queues are doorbell numbers.
    if (limits.max_mr >= 1u << 23 || limits.max_mw >= 1u << 23 ||
        limits.max_qp > VRDMA_DB_MAX_HANDLES || limits.max_cq > VRDMA_DB_MAX_HANDLES) {
        throw std::invalid_argument("embedded RNIC: limit out of range");
    }
    return limits;
}

}  // namespace

uint32_t QpTable::insert(Qp& qp) {
    uint32_t slot;
    if (!free_.empty()) {
        slot = free_.front();
        free_.pop_front();
    } else if (entries_.size() <= kSlotMask) {
        slot = static_cast<uint32_t>(entries_.size());
        entries_.emplace_back();
    } else {
        return 0;
    }
    Entry& entry = entries_[slot];
    entry.qp = &qp;
    entry.number = (entry.variant & kVariantMask) << kSlotBits | slot;
    return entry.number;
}

void QpTable::erase(uint32_t number) {
    Entry& entry = entries_[number & kSlotMask];
    entry.qp = nullptr;
    entry.number = 0;
    ++entry.variant;
    free_.push_back(number & kSlotMask);
}

Engine::Engine(const EmbeddedConfig& config, std::shared_ptr<spdlog::logger> log)
    : limits(checked(config.limits)),
      clock(config.clock ? config.clock : std::make_shared<SteadyClock>()),
      logger(std::move(log)) {
    for (unsigned i = 0; i < std::max(config.threads, 1u); ++i) {
        workers.push_back(std::make_unique<Worker>(*this, config.threads > 1));
    }
    for (unsigned i = 0; i < config.threads; ++i) workers[i]->start(config.spin);
}

Engine::~Engine() {
    for (auto& worker : workers) worker->stop();
}

Worker& Engine::least_busy_worker() {
    return **std::min_element(workers.begin(), workers.end(),
                              [](const auto& a, const auto& b) { return a->ports() < b->ports(); });
}

void Engine::report_failed_cq(PortState& port) {
    port.has_failed_cq.store(true, std::memory_order_release);
    port.worker.call_for_failed_cq();
}

}  // namespace vrdma::embedded
