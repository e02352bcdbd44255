// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <functional>

#include "file_descriptor.h"
#include "result.h"
#include "rnic/uverbs/kernel/rdma_cm.h"

namespace vrdma::uverbs {

// A process of its own that opens files of the kernel's connection manager, and writes commands to
// them.
//
// The kernel takes a command from nobody but the credentials that opened the file
// (ib_safe_file_access() compares pointers), and there is no ioctl(2) as with verbs.  A daemon's
// successor is another process, so that it could do nothing with the files that it is given.  The
// writer outlives its daemon for as long as somebody has one of its channels: the successor goes on
// to ask it.
class CmWriter {
  public:
    struct Options {
        // Called in the new process: gives up what writing does not need.
        std::function<void()> confine = [] {};
        OpenRdmaCm open = open_kernel_rdma_cm;
    };

    // Starts the process.  Forks, and so belongs into a process without threads, and without
    // anything that the writer shall not have.  Throws std::system_error.
    explicit CmWriter(const Options& options);
    CmWriter(const CmWriter&) = delete;
    CmWriter& operator=(const CmWriter&) = delete;

    // A new channel, which one thread at a time may use (written_file.h).  One channel does not
    // wait for another.  EPIPE when the writer has ended.  Any thread.
    Result<FileDescriptor> channel() const;

    // Opens files on a channel that is made for the first of them.  The object outlives what it
    // returns.
    OpenRdmaCm opener() const;

  private:
    FileDescriptor control_;
};

}  // namespace vrdma::uverbs
