// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "device/objects/memory_quota.h"

#include <utility>

namespace vrdma::device {

MemoryCharge::MemoryCharge(MemoryQuota& quota, const MemoryUse& use) : quota_(&quota), use_(use) {
    quota_->used_.bytes += use_.bytes;
    quota_->used_.runs += use_.runs;
}

MemoryCharge::MemoryCharge(MemoryCharge&& other) noexcept
    : quota_(std::exchange(other.quota_, nullptr)), use_(other.use_) {}

MemoryCharge& MemoryCharge::operator=(MemoryCharge&& other) noexcept {
    MemoryCharge moved(std::move(other));
    std::swap(quota_, moved.quota_);
    std::swap(use_, moved.use_);
    return *this;
}

MemoryCharge::~MemoryCharge() {
    if (quota_ != nullptr) {
        quota_->used_.bytes -= use_.bytes;
        quota_->used_.runs -= use_.runs;
    }
}

Result<MemoryCharge> MemoryQuota::charge(const MemoryUse& use) {
    if (use.bytes > limit_.bytes - used_.bytes || use.runs > limit_.runs - used_.runs) {
        return fail(log_.reached("{} bytes in {} runs are registered, {} and {} are allowed",
                                 used_.bytes, used_.runs, limit_.bytes, limit_.runs));
    }
    return MemoryCharge(*this, use);
}

}  // namespace vrdma::device
