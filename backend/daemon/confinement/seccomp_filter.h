// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <optional>
#include <string_view>

namespace vrdma::daemon {

// What becomes of a system call that the filter does not list.
enum class SeccompMode {
    kOn,   // it is refused, see install_seccomp_filter()
    kLog,  // it is carried out, and the kernel logs it
    kOff,  // there is no filter
};

// "on", "log" or "off".
std::optional<SeccompMode> parse_seccomp_mode(std::string_view text);

// The mode of a daemon whose operator says nothing: on.  A build with sanitizers only logs, since
// their run time makes calls that the daemon does not make.
SeccompMode default_seccomp_mode();

// Which calls the RNIC needs.
enum class SeccompSet {
    kEmbedded,  // no file is opened for writing and no socket made
    kHostRnic,  // the files of /dev/infiniband, netlink sockets
    kBroker,    // no RNIC: sockets and processes are made, users and groups looked up (broker.h)
    kCmWriter,  // the connection manager's file of /dev/infiniband (rnic/uverbs/cm_writer)
};

// Restricts all threads of the process to the system calls that a vrdmad makes while it serves, or
// its broker or its writer, and sets no_new_privs.  Cannot be undone.  Throws std::system_error.
//
// A call that is not listed fails with EPERM, and the kernel logs it: if the list lacks a call that
// a library makes one day, a verb fails, and the guests keep their devices.  A call that only
// foreign code can make in this process, such as execve or ptrace, ends the process (SIGSYS): that
// code has taken the daemon over, and could end it anyway.
void install_seccomp_filter(SeccompMode mode, SeccompSet set);

}  // namespace vrdma::daemon
