// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/service/stop_limit.h"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string_view>

namespace vrdma::daemon {
namespace {

// A handler of a signal: only what signal-safety(7) allows.
void give_up(int) {
    constexpr std::string_view kLine =
        "vrdmad: a thread does not end, and the process ends without it; the kernel's log says "
        "whether a driver hangs\n";
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kLine.data(), kLine.size());
    ::_exit(EXIT_FAILURE);
}

}  // namespace

void end_within(std::chrono::seconds limit) {
    struct sigaction action {};
    action.sa_handler = give_up;
    ::sigaction(SIGALRM, &action, nullptr);
    ::alarm(static_cast<unsigned>(limit.count()));
}

}  // namespace vrdma::daemon
