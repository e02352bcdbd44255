// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <mutex>

#include "file_descriptor.h"

namespace vrdma::uverbs {

// A file through which the kernel reports a context's events: its completion channel, or its
// asynchronous events.  The worker reads it while a verb may close it.
class EventFile {
  public:
    enum class State {
        kEmpty,   // all events have been read
        kMore,    // there may be more events: look again soon
        kClosed,  // no event will come any more
    };

    explicit EventFile(FileDescriptor fd) : fd_(std::move(fd)) {
        ::fcntl(fd_.get(), F_SETFL, O_NONBLOCK);
    }
    virtual ~EventFile() = default;
    EventFile(const EventFile&) = delete;
    EventFile& operator=(const EventFile&) = delete;

    // The descriptor, for epoll; only before close().
    int fd() const { return fd_.get(); }

    // Reads and handles a bounded number of events.
    virtual State read_events() = 0;

    // Closes the file.  Once close() returns, no event is being handled, nor will any be.
    void close() {
        const std::lock_guard lock(mutex_);
        fd_.reset();
    }

  protected:
    // The kernel hands out one `Event` for each read.
    template <typename Event, typename Handle>
    State read_each(const Handle& handle) {
        const std::lock_guard lock(mutex_);
        for (unsigned i = 0; i < kMaxEvents; ++i) {
            Event event;
            const ssize_t count = fd_ ? ::read(fd_.get(), &event, sizeof(event)) : 0;
            if (count != static_cast<ssize_t>(sizeof(event))) {
                return count < 0 && (errno == EAGAIN || errno == EINTR) ? State::kEmpty
                                                                        : State::kClosed;
            }
            handle(event);
        }
        return State::kMore;
    }

  private:
    // Bounded, so that doorbells do not wait for a flood of events.
    static constexpr unsigned kMaxEvents = 64;

    std::mutex mutex_;  // guards fd_
    FileDescriptor fd_;
};

}  // namespace vrdma::uverbs
