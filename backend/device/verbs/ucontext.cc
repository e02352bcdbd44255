// SPDX-License-Identifier: Apache-2.0
// Device, port and GID table; user contexts and their mappings.
#include "device/verbs/verbs.h"

#include <algorithm>

#include "device/features.h"
#include "device/request/wire.h"
#include "device/verbs/verbs_internal.h"

namespace vrdma::device {
namespace {

constexpr uint32_t kPort = 1;

}  // namespace

Verbs::Verbs(Options options, rnic::Port& port, ShmMapper& shm, DoorbellMemory doorbells,
             std::function<std::shared_ptr<const memory::GuestMemory>()> memory,
             std::shared_ptr<spdlog::logger> logger)
    : options_(std::move(options)),
      features_(features_of(options_.attributes)),
      port_(port),
      shm_(shm),
      doorbells_(doorbells),
      memory_(std::move(memory)),
      log_(std::move(logger)),
      contexts_(options_.limits.contexts),
      pds_(handle_limit(options_.limits.protection_domains, options_.attributes.max_pd)),
      mrs_(handle_limit(options_.limits.memory_regions, options_.attributes.max_mr)),
      mws_(handle_limit(options_.limits.memory_windows, options_.attributes.max_mw)),
      cqs_(doorbell_handle_limit(options_.limits.completion_queues, options_.attributes.max_cq)),
      srqs_(handle_limit(options_.limits.shared_receive_queues, options_.attributes.max_srq)),
      qps_(doorbell_handle_limit(options_.limits.queue_pairs, options_.attributes.max_qp)),
      ahs_(handle_limit(options_.limits.address_handles, options_.attributes.max_ah)),
      ucma_files_(options_.limits.ucma_files) {}

Verbs::~Verbs() {
    // In the order of dependence; the VMM tears the shared memory region down by itself.
    ucma_files_.erase_if([](UcmaFileObject&) { return true; });
    qps_.erase_if([](QpObject&) { return true; });
    srqs_.erase_if([](SrqObject&) { return true; });
    cqs_.erase_if([](CqObject&) { return true; });
    ahs_.erase_if([](AhObject&) { return true; });
    mws_.erase_if([](MwObject&) { return true; });
    mrs_.erase_if([](MrObject&) { return true; });
    pds_.erase_if([](PdObject&) { return true; });
}

ObjectCounts Verbs::counts() const {
    return {
        .contexts = contexts_.size(),
        .protection_domains = pds_.size(),
        .memory_regions = mrs_.size(),
        .memory_windows = mws_.size(),
        .completion_queues = cqs_.size(),
        .shared_receive_queues = srqs_.size(),
        .queue_pairs = qps_.size(),
        .address_handles = ahs_.size(),
        .multicast_attachments = multicast_attachments_,
        .ucma_files = ucma_files_.size(),
        .mappings = static_cast<uint32_t>(mappings_.size()),
        .registered_bytes = registered_bytes_,
    };
}

Result<rnic::Context*> Verbs::context(const Call& call) {
    ContextObject* object = contexts_.find(call.uctx);
    if (object == nullptr) {
        return fail(EINVAL);
    }
    return object->context.get();
}

Result<void> Verbs::query_device(Call&, const vrdma_cmd_empty&, vrdma_rsp_query_device& response) {
    rnic::DeviceAttributes attributes = options_.attributes;
    attributes.max_pd = pds_.limit();
    attributes.max_mr = mrs_.limit();
    attributes.max_mw = attributes.has_mw ? mws_.limit() : 0;
    attributes.max_cq = cqs_.limit();
    attributes.max_srq = attributes.has_srq ? srqs_.limit() : 0;
    attributes.max_qp = qps_.limit();
    attributes.max_ah = ahs_.limit();
    if (!attributes.has_mcast) {
        attributes.max_mcast_grp = attributes.max_mcast_qp_attach = 0;
    }
    to_wire(attributes, response);
    return {};
}

Result<void> Verbs::query_port(Call&, const vrdma_cmd_query_port& request,
                               vrdma_rsp_query_port& response) {
    if (le32toh(request.port) != kPort) {
        return fail(EINVAL);
    }
    to_wire(port_.query_port(), response);
    return {};
}

Result<void> Verbs::add_gid(Call&, const vrdma_cmd_gid& request, vrdma_rsp_empty&) {
    if (le32toh(request.port) != kPort) {
        return fail(EINVAL);
    }
    rnic::Gid gid;
    std::ranges::copy(request.gid, gid.begin());
    return port_.add_gid(le32toh(request.index), gid, le32toh(request.type));
}

Result<void> Verbs::del_gid(Call&, const vrdma_cmd_gid& request, vrdma_rsp_empty&) {
    if (le32toh(request.port) != kPort) {
        return fail(EINVAL);
    }
    return port_.del_gid(le32toh(request.index));
}

Result<uint64_t> Verbs::map_shm(Call& call, int fd, uint64_t offset, uint64_t length) {
    auto mapped = shm_.map(fd, offset, length);
    call.cancelled = !mapped && mapped.error() == Errno{ECANCELED};
    return mapped;
}

Result<void> Verbs::map_doorbells(Call& call, const vrdma_cmd_empty&,
                                  vrdma_rsp_map_doorbells& response) {
    if (!doorbells_mapped_) {
        auto offset = map_shm(call, doorbells_.fd, 0, doorbells_.length);
        if (!offset) {
            return fail(offset.error());
        }
        doorbells_offset_ = *offset;
        doorbells_mapped_ = true;
    }
    response.shm_offset = htole64(doorbells_offset_);
    response.length = htole64(doorbells_.length);
    return {};
}

Result<void> Verbs::query_udata_pointer(Call&, const vrdma_cmd_query_udata_pointer& request,
                                        vrdma_rsp_query_udata_pointer& response) {
    const auto pointers = options_.udata_pointers;
    const uint32_t index = le32toh(request.index);
    response.count = htole32(static_cast<uint32_t>(pointers.size()));
    if (index < pointers.size()) {
        response.pointer = pointers[index];
    }
    return {};
}

Result<void> Verbs::alloc_ucontext(Call& call, const vrdma_cmd_empty&, vrdma_rsp_handle& response) {
    auto handle = reserve(contexts_, "user contexts");
    if (!handle) {
        return fail(handle.error());
    }
    auto context = port_.alloc_context(call.udata);
    if (!context) {
        return fail(context.error());
    }
    contexts_.insert(*handle, ContextObject{std::move(*context)});
    response.handle = htole32(*handle);
    return {};
}

Result<void> Verbs::dealloc_ucontext(Call&, const vrdma_cmd_handle& request, vrdma_rsp_empty&) {
    const uint32_t handle = le32toh(request.handle);
    if (contexts_.find(handle) == nullptr) {
        return fail(EINVAL);
    }
    release_context(handle);
    return {};
}

void Verbs::release_all() {
    ucma_files_.erase_if([](UcmaFileObject&) { return true; });
    for (const uint32_t handle : contexts_.handles()) {
        release_context(handle);
    }
}

void Verbs::release_context(uint32_t handle) {
    const auto mine = [handle](const auto& object) { return object.uctx == handle; };
    // Windows first: they may be bound to queue pairs and regions.
    mws_.erase_if([&](MwObject& mw) {
        if (!mine(mw)) {
            return false;
        }
        --mw.pd->users;
        return true;
    });
    qps_.erase_if([&](QpObject& qp) {
        if (!mine(qp)) {
            return false;
        }
        release_qp(qp);
        return true;
    });
    srqs_.erase_if([&](SrqObject& srq) {
        if (!mine(srq)) {
            return false;
        }
        release_srq(srq);
        return true;
    });
    cqs_.erase_if([&](CqObject& cq) {
        if (!mine(cq)) {
            return false;
        }
        let_go(cq.memory);
        return true;
    });
    ahs_.erase_if([&](AhObject& ah) {
        if (!mine(ah)) {
            return false;
        }
        --ah.pd->users;
        return true;
    });
    mrs_.erase_if([&](MrObject& mr) {
        if (!mine(mr)) {
            return false;
        }
        release_mr(mr);
        return true;
    });
    pds_.erase_if(mine);
    std::erase_if(mappings_, [&](const auto& entry) {
        if (!mine(entry.second)) {
            return false;
        }
        shm_.unmap(entry.first, entry.second.length);
        return true;
    });
    contexts_.erase(handle);
}

Result<void> Verbs::mmap(Call& call, const vrdma_cmd_mmap& request, vrdma_rsp_mmap& response) {
    auto context = this->context(call);
    if (!context) {
        return fail(context.error());
    }
    if (mappings_.size() >= options_.limits.mappings) {
        log_.warn("{}: limit reached: {} mappings; the verb gets {}", options_.guest,
                  options_.limits.mappings, to_string(Errno{EDQUOT}));
        return fail(EDQUOT);
    }
    const uint64_t length = le64toh(request.length);
    auto source = (*context)->mmap(le64toh(request.offset), length);
    if (!source) {
        return fail(source.error());
    }
    auto offset = map_shm(call, source->fd, source->offset, length);
    if (!offset) {
        return fail(offset.error());
    }
    mappings_.emplace(*offset, MappingObject{call.uctx, length});
    response.shm_offset = htole64(*offset);
    response.caching = htole32(source->caching);
    return {};
}

Result<void> Verbs::munmap(Call& call, const vrdma_cmd_munmap& request, vrdma_rsp_empty&) {
    auto found = mappings_.find(le64toh(request.shm_offset));
    if (found == mappings_.end() || found->second.uctx != call.uctx ||
        found->second.length != le64toh(request.length)) {
        return fail(EINVAL);
    }
    shm_.unmap(found->first, found->second.length);
    mappings_.erase(found);
    return {};
}

}  // namespace vrdma::device
