// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>

namespace vrdma {

// Called in a process that was just forked: names it (15 characters), and leaves it no descriptor
// but `control`.  What a library prints goes nowhere, and above all into no file that comes in
// later.  Ends the process if that fails.
inline void begin_forked_process(int control, const char* name) {
    const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (nothing < 0 || ::dup2(nothing, fd) < 0) {
            ::_exit(EXIT_FAILURE);
        }
    }
    const auto others = static_cast<unsigned>(control);
    if ((others > STDERR_FILENO + 1U && ::close_range(STDERR_FILENO + 1, others - 1, 0) != 0) ||
        ::close_range(others + 1, UINT_MAX, 0) != 0) {
        ::_exit(EXIT_FAILURE);
    }
    ::prctl(PR_SET_NAME, name);
}

}  // namespace vrdma
