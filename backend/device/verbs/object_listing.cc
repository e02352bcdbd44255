// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "device/verbs/object_listing.h"

#include <vrdma_protocol.h>

#include <algorithm>

#include "device/object_kinds.h"

namespace vrdma::device {
namespace {

template <typename Object>
ListedObject listed(uint32_t handle, Object& object) {
    ListedObject listed{.handle = handle};
    if constexpr (requires { object.uctx; }) {
        if (object.uctx != VRDMA_NO_HANDLE) {
            listed.uctx = object.uctx;
        }
    }
    if constexpr (requires { object.mr; }) {
        listed.bytes = object.charge.bytes.amount();
    }
    if constexpr (requires { object.qp; }) {
        listed.qp_num = object.qp->qp_num();
        if (const auto attributes = object.qp->query()) {
            listed.qp_state = attributes->qp_state;
        }
    }
    return listed;
}

template <typename Object>
ListedKind kind_of(const char* key, ObjectTable<Object>& table) {
    std::vector<uint32_t> handles = table.handles();
    std::ranges::sort(handles);
    ListedKind kind{.key = key, .count = handles.size()};
    handles.resize(std::min(handles.size(), ListedKind::kMost));
    for (const uint32_t handle : handles) {
        kind.objects.push_back(listed(handle, *table.find(handle)));
    }
    return kind;
}

}  // namespace

std::vector<ListedKind> list_objects(ObjectTables& tables) {
    std::vector<ListedKind> kinds;
    kinds.push_back(kind_of(object_kind::contexts.key, tables.ucontexts));
    kinds.push_back(kind_of(object_kind::xrc_domains.key, tables.xrcds));
    kinds.push_back(kind_of(object_kind::protection_domains.key, tables.pds));
    kinds.push_back(kind_of(object_kind::memory_regions.key, tables.mrs));
    kinds.push_back(kind_of(object_kind::address_handles.key, tables.ahs));
    kinds.push_back(kind_of(object_kind::completion_queues.key, tables.cqs));
    kinds.push_back(kind_of(object_kind::shared_receive_queues.key, tables.srqs));
    kinds.push_back(kind_of(object_kind::queue_pairs.key, tables.qps));
    kinds.push_back(kind_of(object_kind::memory_windows.key, tables.mws));
    kinds.push_back(kind_of(object_kind::ucma_files.key, tables.ucma_files));
    return kinds;
}

}  // namespace vrdma::device
