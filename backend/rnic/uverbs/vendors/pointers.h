// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The forms of user pointers that the entries of several vendors have.
#pragma once

#include <vrdma_udata.h>

#include <cstddef>
#include <cstdint>

namespace vrdma::uverbs {

// A doorbell record is two 32-bit counters.  The kernel pins the page around the record, once for
// all records in that page, and finds the page again by its address (mlx5_ib_db_map_user,
// mlx4_ib_db_map_user).  The pointer therefore means a whole page, which has one address in this
// process for as long as it is guest memory.
constexpr vrdma_udata_pointer doorbell_record(vrdma_opcode opcode, size_t offset) {
    return {
        .opcode = static_cast<uint16_t>(opcode),
        .offset = static_cast<uint16_t>(offset),
        .flags = VRDMA_UDATA_POINTER_LASTING | VRDMA_UDATA_POINTER_PAGES,
        .length = 8,
        .terms = {},
    };
}

// A queue's buffer, whose length is the sum of the terms.
constexpr vrdma_udata_pointer buffer(vrdma_opcode opcode, size_t offset, vrdma_udata_term first,
                                     vrdma_udata_term second = {}) {
    return {
        .opcode = static_cast<uint16_t>(opcode),
        .offset = static_cast<uint16_t>(offset),
        .flags = VRDMA_UDATA_POINTER_LASTING,
        .length = 0,
        .terms = {first, second},
    };
}

}  // namespace vrdma::uverbs
