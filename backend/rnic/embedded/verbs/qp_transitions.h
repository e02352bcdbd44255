// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>

#include "rnic/embedded/rings/rxe_abi.h"

namespace vrdma::embedded {

// Whether IBTA 1.4, 11.2.5.2 (table 91) lets a queue pair of this type go from one state to another
// with exactly these attributes: all required ones, and no others than the optional ones.
bool transition_allowed(QpType type, QpState from, QpState to, uint32_t attr_mask);

}  // namespace vrdma::embedded
