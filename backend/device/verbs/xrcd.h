// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <memory>

#include "device/objects/ref.h"
#include "rnic/rnic.h"

namespace vrdma::device {

// A domain of extended reliable connections.  It belongs to the device, not to a user context: the
// guest's kernel says which of its processes share it.
struct XrcdObject {
    std::unique_ptr<rnic::XrcDomain> xrcd;
    bool released = false;  // the guest has given the handle back, and the domain is in use still
    RefCount users{};
};

}  // namespace vrdma::device
