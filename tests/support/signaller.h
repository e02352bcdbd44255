// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include "vhost/rings/eventfd_signaller.h"

namespace vrdma::test {

// One for all tests of a program: the end of a signaller takes the kernel a while.
inline vhost::EventfdSignaller& signaller() {
    static vhost::EventfdSignaller signaller;
    return signaller;
}

}  // namespace vrdma::test
