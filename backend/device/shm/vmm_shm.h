// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "device/shm/shm_allocator.h"
#include "device/shm/shm_mapper.h"
#include "rate_limited_log.h"
#include "vhost/protocol/backend_requests.h"

namespace vrdma::device {

// The guest's shared memory region, mapped by the VMM on request over the channel of back-end
// requests.
//
// The control thread calls map() and waits there for the VMM.  The connection's thread brings
// the reply and never waits.  A VMM that stops the control queue may answer only when the queue
// has stopped: cancel() ends the wait, and what the VMM maps too late waits for the command to be
// executed again.
class VmmShm : public ShmMapper {
  public:
    VmmShm(std::string guest, std::shared_ptr<spdlog::logger> logger);

    // ShmMapper; the control thread.
    Result<uint64_t> map(const ShmSource& source) override;
    Result<void> adopt(uint64_t shm_offset, uint64_t length) override;
    void unmap(uint64_t shm_offset, uint64_t length) override;
    std::optional<Unclaimed> unclaimed() const override;
    Result<void> adopt_unclaimed(const Unclaimed& mapping) override;
    void drop_unclaimed(uint32_t uctx) override;

    // The connection's thread.
    void set_channel(std::shared_ptr<vhost::BackendRequests> channel);
    Result<void> set_size(uint64_t size);  // bytes; EBUSY for another size while in use

    // Why nobody may wait for the VMM.  The reasons come and go by themselves.
    enum class Cancel : unsigned {
        kQueueStops = 1,      // the control queue is stopped
        kSessionChanges = 2,  // the connection's thread waits for the command
        kRnicIsLost = 4,      // the control thread is to let go of the RNIC
    };
    // Ends waits with ECANCELED, and so those that begin before resume().  Any thread.
    void cancel(Cancel reason);
    void resume(Cancel reason);

    // Lets go of files that the VMM has not been asked yet to map.  Any thread.
    void withdraw_maps();

    // The VMM has emptied the shared memory region: it was reset or is gone.  A map request that
    // the VMM has not answered yet may be carried out before or after that.  So its range stays
    // taken until the answer has come, and what is mapped there by then is unmapped.
    void clear();

    uint64_t size() const;
    uint64_t used() const;

    // Unmap requests that the VMM may owe an answer at one time.  Further ones wait here for
    // their turn.
    static constexpr size_t kMaxOutstandingUnmaps = vhost::BackendRequests::kMaxOutstanding / 2;

  private:
    struct Range {
        uint64_t offset;
        uint64_t length;
        uint64_t generation;  // in which it was mapped
    };

    // The state of one map request.
    struct Pending {
        ShmSource source;
        Range range{};
        bool done = false;
        bool abandoned = false;  // nobody wants it any more
        Result<void> result;
    };

    Result<std::shared_ptr<Pending>> ask_locked(std::unique_lock<std::mutex>& lock,
                                                const ShmSource& source);
    std::shared_ptr<Pending> claim_locked(const ShmSource& source);
    void abandon_locked(Pending& pending);
    void finish(const std::shared_ptr<Pending>& pending, Result<void> result);
    void send_unmaps_locked();
    void finish_unmap(const Range& range, const Result<void>& result);
    void log_unmap_failure_locked(const Range& range, Errno error);

    const std::string guest_;
    mutable std::mutex mutex_;  // guards what follows
    std::condition_variable changed_;
    std::shared_ptr<vhost::BackendRequests> channel_;
    ShmAllocator allocator_;
    // Counts how often the VMM has emptied the shared memory region.  A reply to a request of
    // an older generation is void.
    uint64_t generation_ = 0;
    unsigned cancelled_ = 0;                           // a sum of Cancel
    std::vector<std::shared_ptr<Pending>> under_way_;  // map requests without an answer
    std::shared_ptr<Pending> unclaimed_;               // that of a cancelled command, or none
    std::deque<Range> unmaps_;                         // yet to be sent
    size_t outstanding_unmaps_ = 0;
    RateLimitedLog log_;
};

}  // namespace vrdma::device
