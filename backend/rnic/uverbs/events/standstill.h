// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <memory>
#include <mutex>
#include <set>

#include "rnic/rnic.h"
#include "rnic/uverbs/events/port_worker.h"

namespace vrdma::uverbs {

// Has the workers of all ports of an RNIC stand still together (rnic::Rnic::pause()).  Any thread.
class Standstill {
  public:
    // A worker of the RNIC's, as long as the object lives.  It stands still at once if the others
    // do.
    class Member {
      public:
        Member(Standstill& all, PortWorker& worker);
        ~Member();
        Member(const Member&) = delete;
        Member& operator=(const Member&) = delete;

      private:
        Standstill& all_;
        PortWorker& worker_;
    };

    void begin();
    void end();

    // Whether the workers stand still.  Until then a successor only looks at what its predecessor
    // still has: it destroys no object of the kernel's.
    bool lasts() const;

  private:
    mutable std::mutex mutex_;  // guards what follows
    bool lasts_ = false;
    std::set<PortWorker*> workers_;
};

}  // namespace vrdma::uverbs
