// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <string>

#include "hostile/guest_verbs.h"
#include "hostile/machine.h"

namespace vrdma::daemon {

// A guest whose VMM maps what the device asks for, and which has the doorbells.
struct MappedGuest {
    explicit MappedGuest(const std::string& socket, const hostile::Machine::Options& options = {})
        : machine(socket, options), verbs(machine) {
        machine.backend_requests().serve(machine.shm_region());
        machine.start();
        verbs.map_doorbells();
    }

    hostile::Machine machine;
    hostile::GuestVerbs verbs;
};

}  // namespace vrdma::daemon
