// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include "hostile/choices.h"
#include "hostile/machine.h"

namespace vrdma::hostile {

// Takes pages of the guest's memory away while the daemon uses them: shrinks the file if that can
// be done, and gives the pages back at once or not; punches holes; has memory plugged in whose
// file is empty.  Returns whether the guest still has its memory.  Without it, neither the machine
// nor its virtqueues may be touched, but the eventfds and the shared memory region may.
bool take_memory_away(Machine& machine, Choices& choices);

}  // namespace vrdma::hostile
