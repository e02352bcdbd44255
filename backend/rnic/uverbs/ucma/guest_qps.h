// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>

namespace vrdma::uverbs {

// The queue pairs that a guest has, by their numbers.  One thread at a time.
class GuestQps {
  public:
    void insert(uint32_t qp_num, uint8_t qp_type) { types_[qp_num] = qp_type; }
    void erase(uint32_t qp_num) { types_.erase(qp_num); }

    // enum ib_uverbs_qp_type of one that the guest has.
    std::optional<uint8_t> type_of(uint32_t qp_num) const {
        const auto found = types_.find(qp_num);
        return found == types_.end() ? std::nullopt : std::optional(found->second);
    }

  private:
    std::unordered_map<uint32_t, uint8_t> types_;
};

}  // namespace vrdma::uverbs
