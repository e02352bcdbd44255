// SPDX-License-Identifier: Apache-2.0
#include "device/verbs/object_tables.h"

namespace vrdma::device {

ObjectTables::ObjectTables(const Limits& limits, const rnic::DeviceAttributes& attributes,
                           LimitLog& log)
    : mcast_attachments("multicast attachments", limits.multicast_attachments, log),
      ucontexts("user contexts", limits.contexts, log),
      pds("protection domains", handle_limit(limits.protection_domains, attributes.max_pd), log),
      mrs("memory regions", handle_limit(limits.memory_regions, attributes.max_mr), log),
      ahs("address handles", handle_limit(limits.address_handles, attributes.max_ah), log),
      cqs("completion queues", doorbell_handle_limit(limits.completion_queues, attributes.max_cq),
          log),
      srqs("shared receive queues", handle_limit(limits.shared_receive_queues, attributes.max_srq),
           log),
      qps("queue pairs", doorbell_handle_limit(limits.queue_pairs, attributes.max_qp), log),
      mws("memory windows", handle_limit(limits.memory_windows, attributes.max_mw), log),
      ucma_files("ucma_files", limits.ucma_files, log) {}

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
