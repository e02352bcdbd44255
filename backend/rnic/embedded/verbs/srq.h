// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "rnic/embedded/live_count.h"
#include "rnic/embedded/rings/ring.h"
#include "rnic/embedded/rings/work_request.h"
#include "rnic/embedded/sync/spin_lock.h"
#include "rnic/rnic.h"

namespace vrdma::embedded {

struct PortState;
class Engine;
class Pd;

// A queue pair's own receive queue.  The caller holds the queue pair's lock.
class ReceiveQueue {
  public:
    ReceiveQueue() = default;
    ReceiveQueue(Ring ring, uint32_t max_sge) : ring_(std::move(ring)), max_sge_(max_sge) {}

    bool empty() const { return ring_.empty(); }

    // Takes the oldest receive request, which must exist.
    WcStatus take(ReceiveRequest& request) {
        const WcStatus status = parse_receive_request(ring_.front(), max_sge_, request);
        ring_.pop();
        return status;
    }

    ConsumerRing& ring() { return ring_; }
    const ConsumerRing& ring() const { return ring_; }

  private:
    ConsumerRing ring_;
    uint32_t max_sge_ = 0;
};

// A receive queue that several queue pairs, and so several workers, take from.
class Srq final : public rnic::SharedReceiveQueue {
  public:
    // `memory`, of which `ring` is, is where it is resized.
    Srq(Engine& engine, PortState& port, uint32_t handle, const Pd& pd,
        rnic::SrqAttributes attributes, std::shared_ptr<RingMemory> memory, Ring ring,
        LiveCount count, LiveCount bytes);

    Result<void> modify(uint32_t attr_mask, const rnic::SrqAttributes& attributes,
                        rnic::Udata& udata) override;
    Result<rnic::SrqAttributes> query() override;

    // Takes the oldest receive request.  None: the queue is empty.
    std::optional<WcStatus> take(ReceiveRequest& request);

    // Whose memory its requests may name (IBTA 1.4, 10.2.9.4).
    const Pd& pd() const { return pd_; }
    mminfo info() const { return queue_.ring().ring().info(); }
    uint32_t handle() const { return handle_; }

  private:
    Result<void> resize(uint32_t max_wr, std::span<rnic::UdataRegion> regions);
    Result<void> arm_limit(uint32_t limit);

    SpinLock lock_;
    ReceiveQueue queue_;
    rnic::SrqAttributes attributes_;  // srq_limit: 0 when it is not armed
    uint32_t handle_;
    const Pd& pd_;
    PortState& port_;
    Engine& engine_;
    std::shared_ptr<RingMemory> memory_;
    LiveCount count_;
    std::optional<LiveCount> bytes_;
};

}  // namespace vrdma::embedded
