// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "file_descriptor.h"
#include "result.h"

namespace vrdma::vhost {

// A process of its own that receives what the VMM of one virtual machine sends.
//
// Linux lets a VMM hold whoever receives from it, in a wait that no signal ends: in recvmsg() on a
// socket that the VMM has as well and reads into memory that does not answer (userfaultfd(2),
// FUSE), since one reader of a Unix socket waits for the other one; in close() of a file of FUSE,
// which asks the file's server.  A thread that waits so keeps its whole process from ending.  So
// this process does neither.  The receiver has nothing but what it receives, and ends with this
// object, or else with its VMM.
class Receiver {
  public:
    struct Options {
        // Types of file systems whose files may come in, besides tmpfs and hugetlbfs.
        std::vector<std::string> file_systems{};
        // Called in the new process, before it receives: gives up what receiving does not need.
        std::function<void()> confine = [] {};
    };

    // Starts the process, and returns its control socket once the process is confined.  Forks, and
    // so belongs into a process without threads, and without anything that the receiver shall not
    // have.  Throws std::system_error.
    static FileDescriptor start(const Options& options);

    // Takes the control socket of a receiver that has been started, perhaps by another process.
    explicit Receiver(FileDescriptor control) : control_(std::move(control)) {}
    explicit Receiver(const Options& options) : Receiver(start(options)) {}
    Receiver(const Receiver&) = delete;
    Receiver& operator=(const Receiver&) = delete;

    // The socket on which what the VMM sends on `socket` is to be read from now on, with the
    // descriptors that come with it, and the end of the stream.  A descriptor whose close() might
    // wait comes in as O_PATH, with which nothing can be done but to name it.  Whoever shuts the
    // returned socket down has the receiver let go of `socket`.  Never blocks.  Errors: EAGAIN
    // while the VMM holds its receiver up, EPIPE when the receiver is gone.
    Result<FileDescriptor> receive_from(const FileDescriptor& socket);

    // The control socket; the receiver lives as long as somebody has it open.
    int control_fd() const { return control_.get(); }

  private:
    FileDescriptor control_;
};

}  // namespace vrdma::vhost
