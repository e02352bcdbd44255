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
#include "rnic/uverbs/verbs/xrcd.h"
#include "state/device.pb.h"
#include "state/files.h"

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
    ib_uverbs_get_context_resp context{};
    auto got =
        state_.execute(VRDMA_CMD_ALLOC_UCONTEXT,
                       {IB_USER_VERBS_CMD_GET_CONTEXT, ib_uverbs_get_context{}, context}, udata);
    if (!got) {
        return got;
    }
    FileDescriptor async_events(static_cast<int>(context.async_fd));
    state_.comp_vectors = std::max(1u, context.num_comp_vectors);

    ib_uverbs_create_comp_channel_resp channel{};
    auto created = execute(*state_.file, {IB_USER_VERBS_CMD_CREATE_COMP_CHANNEL,
                                          ib_uverbs_create_comp_channel{}, channel});
    if (!created) {
        return created;
    }
    return watch(std::move(async_events), FileDescriptor(static_cast<int>(channel.fd)));
}

// Has the worker read the kernel's events from now on.
Result<void> UverbsContext::watch(FileDescriptor async_events, FileDescriptor completion_channel) {
    PortEvents& events = state_.port.events;
    async_events_ = std::make_shared<AsyncEvents>(std::move(async_events), events);
    state_.completion_fd = completion_channel.get();
    completion_channel_ =
        std::make_shared<CompletionChannel>(std::move(completion_channel), events);
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

Result<void> UverbsContext::save(state::Context& context, state::FilesToSend& files) const {
    if (!state_.port.rnic->files_travel) {
        state_.port.log.warn(
            Errno{EOPNOTSUPP},
            "{}: the RNIC's files are without ioctl(2), by which a successor would use them; say "
            "hand_over = true in [rnic] if guests are to be taken over (docs/operations.md)",
            state_.port.guest);
        return fail(EOPNOTSUPP);
    }
    state::UverbsContext& saved = *context.mutable_uverbs();
    saved.set_uverbs_file(files.add(state_.file->fd()));
    saved.set_async_events_file(files.add(async_events_->fd()));
    saved.set_completion_channel_file(files.add(state_.completion_fd));
    saved.set_comp_vectors(state_.comp_vectors);
    state_.mmap_keys->save(saved);
    return {};
}

Result<std::unique_ptr<rnic::Context>> UverbsContext::restore(PortState& port,
                                                              const state::Context& saved,
                                                              state::ReceivedFiles& files) {
    const state::UverbsContext& uverbs = saved.uverbs();
    if (!saved.has_uverbs() || uverbs.comp_vectors() == 0) {
        return fail(EINVAL);
    }
    auto fd = files.take_needed(uverbs.uverbs_file());
    auto async_events = files.take_needed(uverbs.async_events_file());
    auto completion_channel = files.take_needed(uverbs.completion_channel_file());
    if (!fd || !async_events || !completion_channel) {
        return fail(EBADF);
    }
    auto file = port.rnic->device->adopt(std::move(*fd));
    if (!file) {
        return fail(file.error());
    }
    std::unique_ptr<UverbsContext> context(new UverbsContext(port, std::move(*file)));
    context->state_.comp_vectors = uverbs.comp_vectors();
    if (auto restored = context->state_.mmap_keys->restore(uverbs); !restored) {
        return fail(restored.error());
    }
    if (auto watched = context->watch(std::move(*async_events), std::move(*completion_channel));
        !watched) {
        return fail(watched.error());
    }
    return context;
}

Result<std::unique_ptr<rnic::ProtectionDomain>> UverbsContext::restore_pd(const state::Pd& saved) {
    return Pd::restore(state_, saved);
}

Result<std::unique_ptr<rnic::MemoryRegion>> UverbsContext::restore_mr(rnic::ProtectionDomain&,
                                                                      const state::Mr& saved,
                                                                      const memory::GuestMemory&) {
    return Mr::restore(state_, layout_, saved);
}

Result<std::unique_ptr<rnic::CompletionQueue>> UverbsContext::restore_cq(const state::Cq& saved) {
    return Cq::restore(state_, saved);
}

Result<std::unique_ptr<rnic::SharedReceiveQueue>> UverbsContext::restore_srq(
    rnic::ProtectionDomain&, const state::Srq& saved) {
    return Srq::restore(state_, saved, nullptr);
}

Result<std::unique_ptr<rnic::SharedReceiveQueue>> UverbsContext::restore_xrc_srq(
    const state::Srq& saved) {
    return Srq::restore(state_, saved, Xrcd::opened_in(state_, saved.uverbs().xrcd_handle()));
}

Result<std::unique_ptr<rnic::QueuePair>> UverbsContext::restore_qp(const QpInit& pointers,
                                                                   const state::Qp& saved) {
    return Qp::restore(state_, pointers, saved);
}

Result<std::unique_ptr<rnic::AddressHandle>> UverbsContext::restore_ah(rnic::ProtectionDomain&,
                                                                       const state::Ah& saved) {
    return Ah::restore(state_, saved);
}

Result<std::unique_ptr<rnic::MemoryWindow>> UverbsContext::restore_mw(rnic::ProtectionDomain&,
                                                                      const state::Mw& saved) {
    return Mw::restore(state_, saved);
}

}  // namespace vrdma::uverbs
