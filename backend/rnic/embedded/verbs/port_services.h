// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include "rnic/embedded/contexts/port_context.h"
#include "rnic/embedded/datapath/worker.h"
#include "rnic/embedded/fabric/fabric.h"
#include "rnic/embedded/verbs/guest_gate.h"
#include "rnic/embedded/verbs/quota.h"

namespace vrdma::embedded {

// The parts of the RNIC that the verbs of one port act on.
struct PortServices {
    GuestGate& gate;
    Quota& quota;
    PortContext& port;
    Worker& worker;  // the port's home
    Fabric& fabric;
};

}  // namespace vrdma::embedded
