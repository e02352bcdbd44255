// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "rnic/attributes.h"

namespace vrdma::embedded {

class Pd;  // known here by its address only

// The destination of an address handle's datagrams.
struct AddressVector {
    const Pd* pd;
    rnic::AhAttributes attributes;
};

// The address handles of one port by number, as work requests name them. A number is never 0,
// which tells librxe that there is no such table. Changes in a Pause only.
class AhTable {
  public:
    uint32_t insert(const AddressVector& address) {
        if (free_.empty()) {
            entries_.push_back(&address);
            return static_cast<uint32_t>(entries_.size() - 1);
        }
        const uint32_t number = free_.front();
        free_.pop_front();
        entries_[number] = &address;
        return number;
    }
    void erase(uint32_t number) {
        entries_[number] = nullptr;
        free_.push_back(number);
    }

    const AddressVector* find(uint32_t number) const {
        return number < entries_.size() ? entries_[number] : nullptr;
    }

  private:
    std::vector<const AddressVector*> entries_{1};
    std::deque<uint32_t> free_;
};

}  // namespace vrdma::embedded
