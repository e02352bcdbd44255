// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/verbs/ucontext.h"

#include <vrdma_protocol.h>

#include <algorithm>

#include "rnic/uverbs/verbs/ah.h"
#include "rnic/uverbs/verbs/cq.h"
#include "rnic/uverbs/verbs/mr.h"
#include "rnic/uverbs/verbs/mw.h"
#include "rnic/uverbs/verbs/pd.h"
#include "rnic/uverbs/verbs/qp.h"
#include "rnic/uverbs/verbs/srq.h"

namespace vrdma::uverbs {

UverbsContext::UverbsContext(PortState& port, std::unique_ptr<UverbsFile> file)
    : state_{.port = port, .file = std::move(file)},
      layout_(port),
      count_(port.rnic->live.contexts) {}

UverbsContext::~UverbsContext() {
    // The events go before the uverbs file that they are of.
    for (auto& events : {completion_channel_, async_events_}) {
        if (events != nullptr) {
            state_.port.worker.forget(*events);
        }
    }
}

Result<std::unique_ptr<rnic::Context>> UverbsContext::create(PortState& port, rnic::Udata& udata) {
    auto file = port.rnic->device->open();
    if (!file) {
        port.log.warn(file.error(),
                      "{}: no user context: the RNIC's uverbs device cannot be opened: {}",
                      port.guest, to_string(file.error()));
        return fail(file.error());
    }
    std::unique_ptr<UverbsContext> context(new UverbsContext(port, std::move(*file)));
    if (auto opened = context->open(udata); !opened) {
        return fail(opened.error());
    }
    return context;
}

Result<void> UverbsContext::open(rnic::Udata& udata) {
    PortEvents& events = state_.port.events;
    ib_uverbs_get_context_resp context{};
    auto got =
        state_.execute(VRDMA_CMD_ALLOC_UCONTEXT,
                       {IB_USER_VERBS_CMD_GET_CONTEXT, ib_uverbs_get_context{}, context}, udata);
    if (!got) {
        return got;
    }
    async_events_ =
        std::make_shared<AsyncEvents>(FileDescriptor(static_cast<int>(context.async_fd)), events);
    state_.comp_vectors = std::max(1u, context.num_comp_vectors);

    ib_uverbs_create_comp_channel_resp channel{};
    auto created = execute(*state_.file, {IB_USER_VERBS_CMD_CREATE_COMP_CHANNEL,
                                          ib_uverbs_create_comp_channel{}, channel});
    if (!created) {
        return created;
    }
    state_.completion_fd = static_cast<int>(channel.fd);
    completion_channel_ =
        std::make_shared<CompletionChannel>(FileDescriptor(state_.completion_fd), events);

    if (auto watched = state_.port.worker.watch(async_events_); !watched) {
        return watched;
    }
    return state_.port.worker.watch(completion_channel_);
}

Result<rnic::MmapSource> UverbsContext::mmap(uint64_t offset, uint64_t) {
    if (auto there = state_.usable(); !there) {
        return fail(there.error());
    }
    if (offset % VRDMA_SHM_PAGE_SIZE != 0) {
        return fail(EINVAL);
    }
    const MmapRule& rule = state_.port.rnic->vendor.mmap_rule(offset);
    if (rule.read_only) {
        // The library tries at each start of a program, and does without.
        state_.port.logger->debug(
            "{}: offset {:#x} of the RNIC's file is for reading only, and is "
            "not mapped into guests",
            state_.port.guest, offset);
        return fail(EOPNOTSUPP);
    }
    const auto caching = state_.mmap_keys->caching(state_.port.rnic->vendor, offset);
    if (!caching) {
        return fail(EINVAL);
    }
    // The driver judges the offset when the VMM maps it, and knows what belongs to this file.
    return rnic::MmapSource{
        .fd = state_.file->fd(),
        .offset = offset,
        .caching = *caching,
    };
}

Result<std::unique_ptr<rnic::ProtectionDomain>> UverbsContext::alloc_pd(rnic::Udata& udata) {
    return Pd::create(state_, udata);
}

Result<std::unique_ptr<rnic::MemoryRegion>> UverbsContext::reg_mr(rnic::ProtectionDomain& pd,
                                                                  rnic::MrAttributes attributes,
                                                                  rnic::Udata& udata) {
    return Mr::create(state_, layout_, pd, attributes, udata);
}

Result<std::unique_ptr<rnic::MemoryWindow>> UverbsContext::alloc_mw(rnic::ProtectionDomain& pd,
                                                                    uint8_t type,
                                                                    rnic::Udata& udata) {
    return Mw::create(state_, pd, type, udata);
}

Result<std::unique_ptr<rnic::CompletionQueue>> UverbsContext::create_cq(
    uint32_t handle, rnic::CqAttributes& attributes, rnic::Udata& udata) {
    return Cq::create(state_, handle, attributes, udata);
}

Result<std::unique_ptr<rnic::SharedReceiveQueue>> UverbsContext::create_srq(
    uint32_t handle, rnic::ProtectionDomain& pd, rnic::SrqAttributes& attributes,
    rnic::Udata& udata) {
    return Srq::create(state_, handle, pd, attributes, udata);
}

Result<std::unique_ptr<rnic::SharedReceiveQueue>> UverbsContext::create_xrc_srq(
    uint32_t handle, XrcSrqInit& init, rnic::Udata& udata) {
    return Srq::create_xrc(state_, handle, init, udata);
}

Result<std::unique_ptr<rnic::QueuePair>> UverbsContext::create_qp(uint32_t handle, QpInit& init,
                                                                  rnic::Udata& udata) {
    return Qp::create(state_, handle, init, udata);
}

Result<std::unique_ptr<rnic::AddressHandle>> UverbsContext::create_ah(
    rnic::ProtectionDomain& pd, const rnic::AhAttributes& attributes, rnic::Udata& udata) {
    return Ah::create(state_, pd, attributes, udata);
}

}  // namespace vrdma::uverbs
