// SPDX-License-Identifier: Apache-2.0
#include "rnic/uverbs/verbs/ucontext.h"

#include <vrdma_protocol.h>

#include <algorithm>

#include "rnic/uverbs/verbs/cq.h"
#include "rnic/uverbs/verbs/kernel_object.h"
#include "rnic/uverbs/verbs/mr.h"
#include "rnic/uverbs/verbs/qp.h"
#include "rnic/uverbs/verbs/srq.h"

namespace vrdma::uverbs {
namespace {

constexpr uint64_t kPageMask = 4095;
// The kernel asks whether this daemon may have raw packets and the like: only what any user
// may have is the guest's.
bool forwarded(uint8_t qp_type, Transport transport) {
    switch (qp_type) {
        case IB_UVERBS_QPT_RC:
            return true;
        case IB_UVERBS_QPT_UC:
        case IB_UVERBS_QPT_UD:
            return transport == Transport::kRoce;
        default:
            return false;
    }
}

ib_uverbs_ah_attr ah_attributes(const rnic::AhAttributes& ah) {
    ib_uverbs_ah_attr attr{};
    std::ranges::copy(ah.dgid, attr.grh.dgid);
    attr.grh.flow_label = ah.flow_label;
    attr.grh.sgid_index = ah.sgid_index;
    attr.grh.hop_limit = ah.hop_limit;
    attr.grh.traffic_class = ah.traffic_class;
    attr.sl = ah.sl;
    attr.static_rate = ah.static_rate;
    attr.is_global = 1;  // RoCE has no other (IBTA 1.4, annex A16)
    attr.port_num = ah.port;
    return attr;
}

}  // namespace

UverbsContext::UverbsContext(PortState& port, std::unique_ptr<UverbsFile> file)
    : state_{.port = port, .file = std::move(file)},
      layout_(port),
      count_(port.rnic->live.contexts) {}

UverbsContext::~UverbsContext() {
    // Before the file goes, whose events they are.
    for (auto& events : {completion_channel_, async_events_}) {
        if (events != nullptr) {
            state_.port.worker.forget(*events);
        }
    }
}

Result<std::unique_ptr<rnic::Context>> UverbsContext::create(PortState& port, rnic::Udata& udata) {
    auto file = port.rnic->device->open();
    if (!file) {
        port.log.warn("{}: no user context: the RNIC's uverbs device cannot be opened: {}",
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
    auto got = state_.execute(VRDMA_CMD_ALLOC_UCONTEXT, IB_USER_VERBS_CMD_GET_CONTEXT,
                              ib_uverbs_get_context{}, context, udata);
    if (!got) {
        return got;
    }
    async_events_ =
        std::make_shared<AsyncEvents>(FileDescriptor(static_cast<int>(context.async_fd)), events);
    comp_vectors_ = std::max(1u, context.num_comp_vectors);

    ib_uverbs_create_comp_channel_resp channel{};
    auto created = execute(*state_.file, {IB_USER_VERBS_CMD_CREATE_COMP_CHANNEL,
                                          ib_uverbs_create_comp_channel{}, channel});
    if (!created) {
        return created;
    }
    completion_fd_ = static_cast<int>(channel.fd);
    completion_channel_ =
        std::make_shared<CompletionChannel>(FileDescriptor(completion_fd_), events);

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
    // The driver judges the offset when the VMM maps it: it knows what belongs to this file.
    return rnic::MmapSource{
        .fd = state_.file->fd(),
        .offset = offset,
        .caching = state_.port.rnic->vendor.caching(offset),
    };
}

Result<std::unique_ptr<rnic::ProtectionDomain>> UverbsContext::alloc_pd(rnic::Udata& udata) {
    ib_uverbs_alloc_pd_resp kernel{};
    auto allocated = state_.execute(VRDMA_CMD_ALLOC_PD, IB_USER_VERBS_CMD_ALLOC_PD,
                                    ib_uverbs_alloc_pd{}, kernel, udata);
    if (!allocated) {
        return fail(allocated.error());
    }
    return std::make_unique<Pd>(state_, kernel.pd_handle);
}

Result<std::unique_ptr<rnic::MemoryRegion>> UverbsContext::reg_mr(rnic::ProtectionDomain& pd,
                                                                  rnic::MrAttributes attributes,
                                                                  rnic::Udata& udata) {
    return Mr::create(state_, layout_, pd, attributes, udata);
}

Result<std::unique_ptr<rnic::MemoryWindow>> UverbsContext::alloc_mw(rnic::ProtectionDomain& pd,
                                                                    uint8_t type,
                                                                    rnic::Udata& udata) {
    ib_uverbs_alloc_mw request{};
    request.pd_handle = static_cast<const Pd&>(pd).handle();
    request.mw_type = type;
    ib_uverbs_alloc_mw_resp kernel{};
    auto allocated =
        state_.execute(VRDMA_CMD_ALLOC_MW, IB_USER_VERBS_CMD_ALLOC_MW, request, kernel, udata);
    if (!allocated) {
        return fail(allocated.error());
    }
    return std::make_unique<Mw>(state_, kernel);
}

Result<std::unique_ptr<rnic::CompletionQueue>> UverbsContext::create_cq(
    uint32_t handle, rnic::CqAttributes& attributes, rnic::Udata& udata) {
    if (handle >= VRDMA_DB_MAX_HANDLES) {
        return fail(EINVAL);
    }
    const uint32_t comp_vector = attributes.comp_vector % comp_vectors_;
    ib_uverbs_ex_create_cq_resp kernel{};
    auto created =
        state_.with_udata(VRDMA_CMD_CREATE_CQ, udata, [&](CommandUdata bytes) -> Result<void> {
            if (attributes.flags != 0) {
                const ib_uverbs_ex_create_cq request{
                    .user_handle = handle,
                    .cqe = attributes.cqe,
                    .comp_vector = comp_vector,
                    .comp_channel = completion_fd_,
                    .comp_mask = 0,
                    .flags = attributes.flags,
                    .reserved = 0,
                };
                return execute(
                    *state_.file,
                    UverbsCommand::extended(IB_USER_VERBS_EX_CMD_CREATE_CQ, request, kernel),
                    bytes);
            }
            ib_uverbs_create_cq request{};
            request.user_handle = handle;
            request.cqe = attributes.cqe;
            request.comp_vector = comp_vector;
            request.comp_channel = completion_fd_;
            return execute(*state_.file, {IB_USER_VERBS_CMD_CREATE_CQ, request, kernel.base},
                           bytes);
        });
    if (!created) {
        return fail(created.error());
    }
    attributes.cqe = kernel.base.cqe;
    return std::make_unique<Cq>(state_, kernel.base.cq_handle, handle, attributes.comp_vector);
}

Result<std::unique_ptr<rnic::SharedReceiveQueue>> UverbsContext::create_srq(
    uint32_t handle, rnic::ProtectionDomain& pd, rnic::SrqAttributes& attributes,
    rnic::Udata& udata) {
    if (attributes.max_sge < state_.port.rnic->vendor.min_srq_sge) {
        return fail(EINVAL);
    }
    ib_uverbs_create_srq request{};
    request.user_handle = handle;
    request.pd_handle = static_cast<const Pd&>(pd).handle();
    request.max_wr = attributes.max_wr;
    request.max_sge = attributes.max_sge;
    request.srq_limit = attributes.srq_limit;
    ib_uverbs_create_srq_resp kernel{};
    auto created =
        state_.execute(VRDMA_CMD_CREATE_SRQ, IB_USER_VERBS_CMD_CREATE_SRQ, request, kernel, udata);
    if (!created) {
        return fail(created.error());
    }
    attributes.max_wr = kernel.max_wr;
    attributes.max_sge = kernel.max_sge;
    return std::make_unique<Srq>(state_, kernel.srq_handle, kernel.max_wr);
}

Result<std::unique_ptr<rnic::QueuePair>> UverbsContext::create_qp(uint32_t handle, QpInit& init,
                                                                  rnic::Udata& udata) {
    if (handle >= VRDMA_DB_MAX_HANDLES) {
        return fail(EINVAL);
    }
    if (!forwarded(init.qp_type, state_.port.rnic->vendor.transport) || init.create_flags != 0) {
        return fail(EOPNOTSUPP);
    }
    ib_uverbs_create_qp request{};
    request.user_handle = handle;
    request.pd_handle = static_cast<const Pd&>(*init.pd).handle();
    request.send_cq_handle = static_cast<const Cq&>(*init.send_cq).handle();
    request.recv_cq_handle = static_cast<const Cq&>(*init.recv_cq).handle();
    if (init.srq != nullptr) {
        request.is_srq = 1;
        request.srq_handle = static_cast<const Srq&>(*init.srq).handle();
    }
    request.max_send_wr = init.cap.max_send_wr;
    request.max_recv_wr = init.cap.max_recv_wr;
    request.max_send_sge = init.cap.max_send_sge;
    request.max_recv_sge = init.cap.max_recv_sge;
    request.max_inline_data = init.cap.max_inline_data;
    request.sq_sig_all = init.sq_sig_all ? 1 : 0;
    request.qp_type = init.qp_type;
    ib_uverbs_create_qp_resp kernel{};
    auto created =
        state_.execute(VRDMA_CMD_CREATE_QP, IB_USER_VERBS_CMD_CREATE_QP, request, kernel, udata);
    if (!created) {
        return fail(created.error());
    }
    init.cap = {
        .max_send_wr = kernel.max_send_wr,
        .max_recv_wr = kernel.max_recv_wr,
        .max_send_sge = kernel.max_send_sge,
        .max_recv_sge = kernel.max_recv_sge,
        .max_inline_data = kernel.max_inline_data,
    };
    return std::make_unique<Qp>(state_, kernel, handle, init.qp_type,
                                static_cast<Cq&>(*init.send_cq));
}

Result<std::unique_ptr<rnic::AddressHandle>> UverbsContext::create_ah(
    rnic::ProtectionDomain& pd, const rnic::AhAttributes& attributes, rnic::Udata& udata) {
    GuestAddresses* addresses = state_.port.addresses.get();
    if (addresses == nullptr) {
        return fail(EOPNOTSUPP);
    }
    if (attributes.port != rnic::kGuestPort) {
        return fail(EINVAL);
    }
    std::optional<GroupLeases::Lease> group;
    if (is_multicast(attributes.dgid)) {
        auto used = addresses->use_group(attributes.dgid);
        if (!used) {
            return fail(used.error());
        }
        group.emplace(std::move(*used));
    }
    auto path = group ? addresses->underlay_of_group(attributes) : addresses->underlay(attributes);
    if (!path) {
        return fail(path.error());
    }
    ib_uverbs_create_ah request{};
    request.pd_handle = static_cast<const Pd&>(pd).handle();
    request.attr = ah_attributes(*path);
    ib_uverbs_create_ah_resp kernel{};
    auto created =
        state_.execute(VRDMA_CMD_CREATE_AH, IB_USER_VERBS_CMD_CREATE_AH, request, kernel, udata);
    if (!created) {
        return fail(created.error());
    }
    return std::make_unique<Ah>(state_, kernel.ah_handle, std::move(group));
}

}  // namespace vrdma::uverbs
