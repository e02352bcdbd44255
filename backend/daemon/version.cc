// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/version.h"

namespace vrdma::daemon {

const char* version() {
    return VRDMA_VERSION;
}

}  // namespace vrdma::daemon
