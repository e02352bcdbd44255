// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <mutex>

#include "daemon/config.h"
#include "daemon/equipment/equipment.h"
#include "file_descriptor.h"

namespace vrdma::daemon {

// A process that does for a vrdmad what vrdmad has given up: it makes the sockets of virtual
// machines, and starts their receivers, and hands both over.  It never sees a byte of a guest's or
// a VMM's.  It ends with vrdmad.
class Broker {
  public:
    // Forks, and so belongs before this process's threads, and before it has anything that the
    // broker shall not have.  The broker has the rules of `config` for seccomp and for memory, and
    // no capability but those that decide over files.  Throws std::system_error.
    explicit Broker(const Config& config);
    Broker(const Broker&) = delete;
    Broker& operator=(const Broker&) = delete;

    // See Equip.  Any thread; one waits for the other.
    Equipment equip(const Config& config, const VmConfig& vm);

  private:
    FileDescriptor control_;
    std::mutex mutex_;  // held while the broker works on a request
};

}  // namespace vrdma::daemon
