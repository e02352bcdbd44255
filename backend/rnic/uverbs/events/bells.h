// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What the worker may do to a kernel object that a verb may destroy at the same time.  The
// kernel refuses to destroy an object that another command is using (EBUSY), so the verb
// silences the bell first.
#pragma once

#include <rdma/ib_user_verbs.h>

#include <cstdint>
#include <memory>
#include <mutex>

#include "result.h"
#include "rnic/uverbs/kernel/uverbs.h"

namespace vrdma::uverbs {

// The doorbell of a send queue whose library rings by a system call.
class SendQueueBell {
  public:
    SendQueueBell(std::shared_ptr<UverbsFile> file, uint32_t qp_handle)
        : qp_handle_(qp_handle), file_(std::move(file)) {}

    // Executes POST_SEND without work requests: the driver looks at the queue itself.  Errors: the
    // kernel's, and ENOENT after silence().
    Result<void> ring();

    // Ends ringing.  Once silence() returns, no ring() is under way, nor will there be one.
    void silence();

  private:
    const uint32_t qp_handle_;
    std::mutex mutex_;  // guards file_, and the file while a command runs
    std::shared_ptr<UverbsFile> file_;
};

// The completion events of a CQ.
class CqBell {
  public:
    CqBell(std::shared_ptr<UverbsFile> file, uint32_t cq_handle, uint32_t comp_vector)
        : cq_handle_(cq_handle), comp_vector_(comp_vector), file_(std::move(file)) {}

    uint32_t comp_vector() const { return comp_vector_; }  // the guest's

    // Executes REQ_NOTIFY_CQ.  Errors: as SendQueueBell::ring().
    Result<void> arm(bool solicited_only);

    // As SendQueueBell::silence().
    void silence();

  private:
    const uint32_t cq_handle_;
    const uint32_t comp_vector_;
    std::mutex mutex_;  // as in SendQueueBell
    std::shared_ptr<UverbsFile> file_;
};

}  // namespace vrdma::uverbs
