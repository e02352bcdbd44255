// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "result.h"

namespace vrdma::embedded {

class QpContext;  // known here by its address only

// The queue pairs of all ports by number. The table changes in a Pause only.
class QpTable {
  public:
    // Answers a number that no other queue pair has and that was not used for long; 0 when there
    // is none left.
    uint32_t insert(QpContext& qp);
    // Gives the queue pair the number that it had in another process. EINVAL for a number that no
    // queue pair can have, EEXIST when another one's is of the same slot.
    Result<void> insert_at(uint32_t number, QpContext& qp);
    void erase(uint32_t number);

    // No slot was used more often. A successor's table, of whose slots none was used before, does
    // not give out what this one did.
    uint32_t highest_variant() const { return highest_variant_; }
    void begin_after(uint32_t variant);

    QpContext* find(uint32_t number) const {
        const uint32_t slot = number & kSlotMask;
        const Part* part = parts_[slot / kPart].get();
        return part != nullptr && (*part)[slot % kPart].number == number ? (*part)[slot % kPart].qp
                                                                         : nullptr;
    }

  private:
    // 24 bits: a slot, and above it a variant that changes with each use of the slot.
    static constexpr uint32_t kSlotBits = 18;
    static constexpr uint32_t kSlotMask = (1u << kSlotBits) - 1;
    static constexpr uint32_t kManagement = 2;  // QP 0 and QP 1
    static constexpr uint32_t kVariantMask = (1u << (24 - kSlotBits)) - 1;
    // The table grows by parts of one size, so that a Pause is not longer with more queue pairs.
    static constexpr uint32_t kPart = 512;
    struct Entry {
        QpContext* qp = nullptr;
        uint32_t number = 0;
        uint32_t variant = 0;
        uint32_t next_free = 0;
        uint32_t previous_free = 0;
    };
    using Part = std::array<Entry, kPart>;

    Entry& at(uint32_t slot) { return (*parts_[slot / kPart])[slot % kPart]; }
    bool add_part();
    void free(uint32_t slot);
    void unlink(uint32_t slot);
    void occupy(uint32_t slot, uint32_t number, QpContext& qp);

    std::array<std::unique_ptr<Part>, (kSlotMask + 1) / kPart> parts_;
    uint32_t parts_used_ = 0;
    uint32_t first_free_ = 0;  // the longest unused first; 0: none
    uint32_t last_free_ = 0;
    uint32_t first_variant_ = 0;  // of a slot of a new part
    uint32_t highest_variant_ = 0;
};

}  // namespace vrdma::embedded
