// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What makes a vrdmad of this source another version.
#include "daemon/version.h"

namespace vrdma::daemon {

const char* version() {
    return VRDMA_VERSION ".next";
}

}  // namespace vrdma::daemon
