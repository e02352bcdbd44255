// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <spdlog/logger.h>

#include <memory>

#include "vhost/protocol/memory_table.h"
#include "vhost/receiver/receiver.h"

namespace vrdma::vhost {

// What a virtual machine has from one connection of its VMM to the next.
struct Machine {
    std::shared_ptr<spdlog::logger> logger;  // limits the rate of lines
    std::shared_ptr<RegionMapper> memory;
    // Reads what the VMM sends; without one, the connection's thread reads it itself.
    std::shared_ptr<Receiver> receiver;

    // The socket to read what the VMM sends on `socket` from, or none, which is `socket` itself.
    Result<FileDescriptor> receive_from(const FileDescriptor& socket) const {
        return receiver != nullptr ? receiver->receive_from(socket) : FileDescriptor();
    }
};

}  // namespace vrdma::vhost
