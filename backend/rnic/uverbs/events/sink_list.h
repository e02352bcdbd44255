// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <list>
#include <mutex>

#include "rnic/rnic.h"

namespace vrdma::uverbs {

// The sinks of the guests that learn what happens to the RNIC as a whole.  Any thread.
class SinkList {
  public:
    // A sink is in the list for as long as its entry lives.
    class Entry {
      public:
        Entry(SinkList& list, rnic::EventSink& sink) : list_(list) {
            const std::lock_guard lock(list_.mutex_);
            position_ = list_.sinks_.insert(list_.sinks_.end(), &sink);
        }
        ~Entry() {
            const std::lock_guard lock(list_.mutex_);
            list_.sinks_.erase(position_);
        }
        Entry(const Entry&) = delete;
        Entry& operator=(const Entry&) = delete;

      private:
        SinkList& list_;
        std::list<rnic::EventSink*>::iterator position_;
    };

    void report(rnic::AsyncEventType type, uint32_t handle) {
        const std::lock_guard lock(mutex_);
        for (rnic::EventSink* sink : sinks_) {
            sink->async_event(type, handle);
        }
    }
    void host_changed() {
        const std::lock_guard lock(mutex_);
        for (rnic::EventSink* sink : sinks_) {
            sink->host_changed();
        }
    }

  private:
    std::mutex mutex_;  // guards sinks_, and each sink while it is called
    std::list<rnic::EventSink*> sinks_;
};

}  // namespace vrdma::uverbs
