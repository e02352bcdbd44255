// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "device/verbs/object_tables.h"

namespace vrdma::device {

// An object as whoever looks for a fault sees it: no keys, and nothing of the guest's memory.
struct ListedObject {
    uint32_t handle = 0;
    std::optional<uint32_t> uctx{};     // the user context that owns it
    std::optional<uint32_t> qp_num{};   // of a queue pair, as is the next
    std::optional<uint8_t> qp_state{};  // enum ibv_qp_state; none if the RNIC does not say
    std::optional<uint64_t> bytes{};    // of memory that the object keeps registered
};

// The objects of one kind, those with the lowest handles.
struct ListedKind {
    static constexpr size_t kMost = 512;

    const char* key = nullptr;  // of the limit of this kind
    size_t count = 0;           // also of those that are not listed
    std::vector<ListedObject> objects{};
};

// Asks the RNIC for the states of queue pairs.  Where verbs are called.
std::vector<ListedKind> list_objects(ObjectTables& tables);

}  // namespace vrdma::device
