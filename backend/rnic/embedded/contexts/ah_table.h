// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>

#include "rnic/attributes.h"
#include "rnic/embedded/sync/slot_table.h"

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
    using Room = SlotTable<const AddressVector>::Room;
    Room make_room() const { return addresses_.make_room(); }
    uint32_t insert(const AddressVector& address, Room& room) {
        return addresses_.insert(address, room);
    }
    void erase(uint32_t number) { addresses_.erase(number); }

    const AddressVector* find(uint32_t number) const { return addresses_.at(number); }

  private:
    SlotTable<const AddressVector> addresses_{1};
};

}  // namespace vrdma::embedded
