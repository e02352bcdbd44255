// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <linux/aio_abi.h>

#include <atomic>
#include <cstdint>

#include "file_descriptor.h"
#include "result.h"

namespace vrdma::vhost {

// Signals eventfds of the VMM, and never blocks.
//
// A write() to an eventfd whose counter is full blocks, unless the open file description has
// O_NONBLOCK.  The VMM shares that description: it can clear the flag at any moment, and fill the
// counter.  The kernel's own signal, eventfd_signal(), only saturates the counter.  The completion
// of an asynchronous read makes that signal (io_submit(2), IOCB_FLAG_RESFD), and so each signal
// here is a read of nothing.
class EventfdSignaller {
  public:
    // Throws std::system_error, which says what to do, when the kernel gives no context.
    EventfdSignaller();
    // Waits for a grace period of the kernel's.
    ~EventfdSignaller();
    EventfdSignaller(const EventfdSignaller&) = delete;
    EventfdSignaller& operator=(const EventfdSignaller&) = delete;

    // Adds one to the counter of `eventfd`, unless the counter is full.  Any thread.  Errors:
    // ENOMEM, EBADF or EINVAL for what is no eventfd.
    Result<void> signal(int eventfd);

    // Whether `fd`, an open descriptor, is an eventfd.  Leaves the counter alone.
    bool is_eventfd(int fd);

  private:
    Result<void> submit(iocb& request);
    void take_completions();

    // The kernel keeps a record of each signal until it is asked for it.
    static constexpr unsigned kRecords = 64;
    static constexpr uint32_t kSignalsPerTake = kRecords / 2;

    FileDescriptor nothing_;
    aio_context_t context_ = 0;
    std::atomic<uint32_t> signals_ = 0;
};

}  // namespace vrdma::vhost
