// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <memory>

#include "rnic/rnic.h"

namespace vrdma::device {

// An open file of the connection manager's user interface.  It belongs to the device, not to a
// user context.
struct UcmaFileObject {
    std::unique_ptr<rnic::UcmaFile> file;
};

}  // namespace vrdma::device
