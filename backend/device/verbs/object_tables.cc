// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "device/verbs/object_tables.h"

namespace vrdma::device {

ObjectTables::ObjectTables(const rnic::DeviceAttributes& attributes, GuestBudgets& budgets)
    : ucontexts(handle_bound(object_kind::contexts, attributes), budgets.contexts),
      xrcds(handle_bound(object_kind::xrc_domains, attributes), budgets.xrc_domains),
      pds(handle_bound(object_kind::protection_domains, attributes), budgets.protection_domains),
      mrs(handle_bound(object_kind::memory_regions, attributes), budgets.memory_regions),
      ahs(handle_bound(object_kind::address_handles, attributes), budgets.address_handles),
      cqs(handle_bound(object_kind::completion_queues, attributes), budgets.completion_queues),
      srqs(handle_bound(object_kind::shared_receive_queues, attributes),
           budgets.shared_receive_queues),
      qps(handle_bound(object_kind::queue_pairs, attributes), budgets.queue_pairs),
      mws(handle_bound(object_kind::memory_windows, attributes), budgets.memory_windows),
      ucma_files(handle_bound(object_kind::ucma_files, attributes), budgets.ucma_files) {}

Result<rnic::Context*> ObjectTables::context(uint32_t uctx) {
    UcontextObject* object = ucontexts.find(uctx);
    if (object == nullptr) {
        return fail(EINVAL);
    }
    return object->context.get();
}

XrcdObject* ObjectTables::find_xrcd(uint32_t handle) {
    XrcdObject* xrcd = xrcds.find(handle);
    return xrcd == nullptr || xrcd->released ? nullptr : xrcd;
}

void ObjectTables::erase_released_xrcds() {
    xrcds.erase_if([](const XrcdObject& xrcd) { return xrcd.released && !xrcd.users.in_use(); });
}

void ObjectTables::erase_owned(uint32_t uctx) {
    mws.erase_owned(uctx);
    qps.erase_owned(uctx);
    srqs.erase_owned(uctx);
    cqs.erase_owned(uctx);
    ahs.erase_owned(uctx);
    mrs.erase_owned(uctx);
    pds.erase_owned(uctx);
    erase_released_xrcds();
}

}  // namespace vrdma::device
