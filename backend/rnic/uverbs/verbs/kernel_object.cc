// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/verbs/kernel_object.h"

namespace vrdma::uverbs {

Result<void> KernelObject::destroy() {
    auto result = kind_.destroy(*context_.file, handle_);
    destroyed_ = result.has_value();
    return result;
}

KernelObject::~KernelObject() {
    if (destroyed_ || context_.port.rnic->standstill.lasts()) {
        return;
    }
    auto destroyed = kind_.destroy(*context_.file, handle_);
    // EIO: a driver that lets go of its users at once has destroyed everything already.
    if (!destroyed && !context_.port.rnic->removed.load(std::memory_order_relaxed)) {
        context_.port.log.warn(
            "{}: the kernel does not destroy a {}: {}; it stays until the guest's user context "
            "ends",
            context_.port.guest, kind_.name, to_string(destroyed.error()));
    }
}

}  // namespace vrdma::uverbs
