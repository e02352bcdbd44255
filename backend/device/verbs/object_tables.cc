// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "device/verbs/object_tables.h"

namespace vrdma::device {

ObjectTables::ObjectTables(const Limits& limits, const rnic::DeviceAttributes& attributes,
                           LimitLog& log)
    : mcast_attachments(object_kind::multicast_attachments.name, limits.multicast_attachments, log),
      ucontexts(object_kind::contexts, limits, attributes, log),
      pds(object_kind::protection_domains, limits, attributes, log),
      mrs(object_kind::memory_regions, limits, attributes, log),
      ahs(object_kind::address_handles, limits, attributes, log),
      cqs(object_kind::completion_queues, limits, attributes, log),
      srqs(object_kind::shared_receive_queues, limits, attributes, log),
      qps(object_kind::queue_pairs, limits, attributes, log),
      mws(object_kind::memory_windows, limits, attributes, log),
      ucma_files(object_kind::ucma_files, limits, attributes, log) {}

Result<rnic::Context*> ObjectTables::context(uint32_t uctx) {
    UcontextObject* object = ucontexts.find(uctx);
    if (object == nullptr) {
        return fail(EINVAL);
    }
    return object->context.get();
}

void ObjectTables::erase_owned(uint32_t uctx) {
    mws.erase_owned(uctx);
    qps.erase_owned(uctx);
    srqs.erase_owned(uctx);
    cqs.erase_owned(uctx);
    ahs.erase_owned(uctx);
    mrs.erase_owned(uctx);
    pds.erase_owned(uctx);
}

}  // namespace vrdma::device
