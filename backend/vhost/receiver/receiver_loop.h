// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What runs in the receiver's process (receiver.h).
#pragma once

#include <cstddef>
#include <list>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "file_descriptor.h"
#include "result.h"
#include "vhost/protocol/vhost_user.h"

namespace vrdma::vhost {

// Takes streams from `control`, and carries what the VMM sends on them to the daemon.
class ReceiverLoop {
  public:
    ReceiverLoop(int control, std::vector<std::string> file_systems)
        : control_(control), file_systems_(std::move(file_systems)) {}

    // Returns when the daemon is gone.
    void run();

  private:
    // A socket of the VMM's, and the one on which the daemon reads what comes from it.
    struct Stream {
        FileDescriptor vmm;
        FileDescriptor daemon;
        VuHeader header{};
        size_t received = 0;  // bytes of the message that is coming in
        // Files of that message whose close() may wait.  The daemon has the message first, and can
        // say what is wrong with it.
        std::vector<FileDescriptor> unsafe;
    };

    bool take_stream();
    bool forward(Stream& stream);
    bool send(Stream& stream, std::span<const std::byte> bytes, std::vector<FileDescriptor> fds);
    bool closes_at_once(int fd) const;

    const int control_;
    const std::vector<std::string> file_systems_;
    std::list<Stream> streams_;
};

}  // namespace vrdma::vhost
