// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>

#include "result.h"
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
    // Gives the address the number that it had in another process, see SlotTable::restore(). EINVAL
    // for a number that was none's, EEXIST for another one's.
    Result<void> insert_at(const AddressVector& address, uint32_t number) {
        if (addresses_.at(number) != nullptr) {
            return fail(EEXIST);
        }
        if (!addresses_.is_reserved(number)) {
            return fail(EINVAL);
        }
        addresses_.insert_at(number, address);
        return {};
    }
    SlotTable<const AddressVector>& numbers() { return addresses_; }
    const SlotTable<const AddressVector>& numbers() const { return addresses_; }
    void erase(uint32_t number) { addresses_.erase(number); }

    const AddressVector* find(uint32_t number) const { return addresses_.at(number); }

  private:
    SlotTable<const AddressVector> addresses_{1};
};

}  // namespace vrdma::embedded
