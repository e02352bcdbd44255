// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>

#include "rnic/verbs_abi.h"

namespace vrdma::uverbs {

// The queue pairs that a guest has, by their numbers.  One thread at a time.
class GuestQps {
  public:
    void insert(uint32_t qp_num, rnic::QpType qp_type) { types_[qp_num] = qp_type; }
    void erase(uint32_t qp_num) { types_.erase(qp_num); }

    // The type of a queue pair that the guest has; none for a queue pair that the guest does not
    // have.
    std::optional<rnic::QpType> type_of(uint32_t qp_num) const {
        const auto found = types_.find(qp_num);
        return found == types_.end() ? std::nullopt : std::optional(found->second);
    }

  private:
    std::unordered_map<uint32_t, rnic::QpType> types_;
};

}  // namespace vrdma::uverbs
