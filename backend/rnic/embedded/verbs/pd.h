// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <memory>

#include "rnic/embedded/verbs/quota.h"
#include "rnic/rnic.h"
#include "state/device.pb.h"

namespace vrdma::embedded {

// A protection domain. The data path compares its address.
class Pd final : public rnic::ProtectionDomain {
  public:
    // ENOMEM.
    static Result<std::unique_ptr<Pd>> create(Quota& quota) {
        auto count = quota.take(&Usage::protection_domains, quota.limits().max_pd);
        if (!count) {
            return fail(count.error());
        }
        return std::make_unique<Pd>(std::move(*count));
    }
    explicit Pd(rnic::LiveCount count) : count_(std::move(count)) {}

    Result<void> save(state::Pd& pd) const override {
        pd.mutable_embedded();
        return {};
    }

  private:
    rnic::LiveCount count_;
};

}  // namespace vrdma::embedded
