// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace vrdma::vrdmactl {

// A vrdmad that runs, as the kernel describes its process.
struct RunningDaemon {
    pid_t process = -1;
    // The program as it is installed now, which may be another than the one that runs.
    std::filesystem::path program;
    // What it was started with, without the program, --take-over and the control socket.
    std::vector<std::string> arguments;
    std::filesystem::path folder;  // in which it was started
    std::string unit;              // of systemd, whose main process it is; empty without

    // Throws Failure when the process is gone, or not the caller's to look at.
    static RunningDaemon find(pid_t process);
};

// Has the installed vrdmad take the place of the one that runs on the control socket `socket`:
// checks that it understands the configuration and what the guests have, restarts the unit, and
// looks what has become of the guests.  Returns `from` and `to`, the versions; `guests` that were
// taken over and `lost` those that have begun anew, by their names; `stood_still_ms`, null when
// none was taken over.  Throws Failure; what() says whether something has changed.
nlohmann::json upgrade(const std::string& socket);

}  // namespace vrdma::vrdmactl
