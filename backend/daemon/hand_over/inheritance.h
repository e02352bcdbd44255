// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "daemon/config.h"
#include "daemon/equipment/equipment.h"
#include "file_descriptor.h"
#include "state/daemon.pb.h"
#include "state/files.h"

namespace vrdma::daemon {

// What a vrdmad has of the one before it.
class Inheritance {
  public:
    // Asks the vrdmad that serves this hand-over socket for its guests, and waits for them: they
    // stand still from here on.  Throws std::runtime_error when they do not come; then that one
    // goes on with them.
    explicit Inheritance(const std::filesystem::path& socket);
    // Reads what a vrdmad that has ended has left (store_guests()).  Throws std::runtime_error when
    // that cannot be understood.
    explicit Inheritance(const FileDescriptor& stored);

    // The state of the machine that has this socket; null when there is none.
    const state::Machine* find(const VmConfig& vm) const;
    // The socket and the receiver of that machine, once; none when there is none.
    std::optional<Equipment> equipment(const Config& config, const VmConfig& vm);

    const state::Daemon& state() const { return state_; }
    state::ReceivedFiles& files() { return files_; }

    // Says that this process can go on with the guests, and waits until the other one has ended,
    // if it runs.  Throws std::runtime_error when that one has not.
    void take();

    // Says that this process understands what the guests have, and leaves them where they are.
    void leave();

  private:
    // Reads the state from a socket.  Throws std::runtime_error, whose text begins with `whose`
    // and ends with `otherwise`, what becomes of the guests.
    void read(const FileDescriptor& socket, const std::string& whose, const char* otherwise);

    FileDescriptor predecessor_;  // none when it has ended
    FileDescriptor process_;      // of the predecessor, as pidfd_open(2) gives it
    state::Daemon state_;
    state::ReceivedFiles files_{{}};
};

}  // namespace vrdma::daemon
