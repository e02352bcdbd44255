// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <vrdma_doorbell.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "file_descriptor.h"
#include "result.h"
#include "rnic/uverbs/events/port_events.h"

namespace vrdma::uverbs {

// The thread that looks at one guest's doorbells and event files.  Each guest has its own, so
// that none waits for another's.
class PortWorker {
  public:
    // Looks for work for `spin` before it sleeps.  Throws std::system_error when the kernel
    // has no thread or descriptor left.
    PortWorker(PortEvents& events, std::chrono::nanoseconds spin);
    ~PortWorker();
    PortWorker(const PortWorker&) = delete;
    PortWorker& operator=(const PortWorker&) = delete;

    // As rnic::Port::set_doorbells().  Once it returns, the worker does not touch the old area and
    // descriptor any more.
    void set_doorbells(vrdma_doorbell_area* area, int notify_fd);

    // Once it returns, the RNIC has what the guest rang for before the call.  Waits for the worker
    // only if something is left to take.
    void catch_up();

    // Once stand_still() returns, the worker takes nothing from doorbells and files until go_on().
    // The other functions do not wait for that.
    void stand_still();
    void go_on();

    // Reads the file from now on, until forget(), which also closes it.  Errors: epoll_ctl's.
    Result<void> watch(std::shared_ptr<EventFile> file);
    void forget(EventFile& file);

  private:
    struct Doorbells {
        vrdma_doorbell_area* area = nullptr;  // guest-controlled
        int notify_fd = -1;
    };

    void run();
    void stand();
    void sleep();
    void wake();
    bool take_doorbells();
    bool has_doorbells() const;
    bool watch_doorbells();
    bool look_at_files(int timeout_ms);
    void set_polling(bool polling);
    void take_new_doorbells();
    void answer_catch_up();

    PortEvents& events_;
    const std::chrono::nanoseconds spin_;
    FileDescriptor epoll_;
    FileDescriptor wake_;
    // Only the worker's thread uses these two.
    Doorbells doorbells_;
    bool watches_doorbells_ = false;  // by their eventfd

    std::mutex request_mutex_;  // guards new_doorbells_, the area that verbs know
    std::condition_variable request_done_;
    Doorbells new_doorbells_;
    std::atomic<bool> has_new_doorbells_ = false;
    std::atomic<bool> must_catch_up_ = false;
    std::atomic<bool> rings_ = false;  // bits are taken that the RNIC may not know of yet

    std::atomic<bool> must_stand_ = false;
    std::mutex stand_mutex_;  // guards stands_, and the worker's decision to go on standing
    std::condition_variable stand_changed_;
    bool stands_ = false;

    std::mutex files_mutex_;  // guards files_ and next_file_
    std::map<uint64_t, std::shared_ptr<EventFile>> files_;
    uint64_t next_file_;

    std::atomic<bool> stop_ = false;
    std::thread thread_;  // last: it uses all of the above
};

}  // namespace vrdma::uverbs
