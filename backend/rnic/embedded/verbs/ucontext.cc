// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/verbs/ucontext.h"

#include <vrdma_commands.h>

#include <algorithm>
#include <utility>

#include "rnic/embedded/verbs/ah.h"
#include "rnic/embedded/verbs/cq.h"
#include "rnic/embedded/verbs/mr.h"
#include "rnic/embedded/verbs/mw.h"
#include "rnic/embedded/verbs/pd.h"
#include "rnic/embedded/verbs/qp.h"
#include "rnic/embedded/verbs/srq.h"
#include "state/files.h"

namespace vrdma::embedded {

Result<std::unique_ptr<rnic::Context>> EmbeddedContext::create(const PortServices& services) {
    auto count = services.quota.take(&Usage::contexts);
    if (!count) {
        return fail(count.error());
    }
    auto memory = RingMemory::create(services.quota.ring_space());
    if (!memory) {
        return fail(memory.error());
    }
    return std::unique_ptr<rnic::Context>(new EmbeddedContext(
        services, RingPool(std::move(*memory), services.quota), std::move(*count)));
}

Result<rnic::MmapSource> EmbeddedContext::mmap(uint64_t offset, uint64_t length) {
    const RingMemory& memory = rings_.memory();
    if (offset % VRDMA_SHM_PAGE_SIZE != 0 || !memory.covers(offset, length)) {
        return fail(EINVAL);
    }
    return rnic::MmapSource{memory.fd(), offset, VRDMA_MMAP_CACHED};
}

Result<std::unique_ptr<rnic::ProtectionDomain>> EmbeddedContext::alloc_pd(rnic::Udata&) {
    return Pd::create(services_.quota);
}

Result<std::unique_ptr<rnic::MemoryRegion>> EmbeddedContext::reg_mr(rnic::ProtectionDomain& pd,
                                                                    rnic::MrAttributes attributes,
                                                                    rnic::Udata&) {
    return Mr::create(services_.gate, services_.quota, services_.port.keys(),
                      static_cast<const Pd&>(pd), std::move(attributes));
}

Result<std::unique_ptr<rnic::MemoryRegion>> EmbeddedContext::get_dma_mr(
    rnic::ProtectionDomain& pd, const rnic::DmaMrAttributes& attributes) {
    return Mr::create_dma(services_.gate, services_.quota, services_.port.keys(),
                          static_cast<const Pd&>(pd), attributes);
}

Result<std::unique_ptr<rnic::MemoryRegion>> EmbeddedContext::alloc_mr(
    rnic::ProtectionDomain& pd, rnic::FastMrAttributes attributes) {
    return Mr::create_fast(services_.gate, services_.quota, services_.port.keys(),
                           static_cast<const Pd&>(pd), std::move(attributes));
}

Result<std::unique_ptr<rnic::MemoryWindow>> EmbeddedContext::alloc_mw(rnic::ProtectionDomain& pd,
                                                                      uint8_t type, rnic::Udata&) {
    return Mw::create(services_.gate, services_.quota, services_.port.keys(),
                      static_cast<const Pd&>(pd), type);
}

Result<std::unique_ptr<rnic::CompletionQueue>> EmbeddedContext::create_cq(
    uint32_t handle, rnic::CqAttributes& attributes, rnic::Udata& udata) {
    return Cq::create(services_, rings_, handle, attributes, udata);
}

Result<std::unique_ptr<rnic::SharedReceiveQueue>> EmbeddedContext::create_srq(
    uint32_t handle, rnic::ProtectionDomain& pd, rnic::SrqAttributes& attributes,
    rnic::Udata& udata) {
    return Srq::create(services_, rings_, handle, static_cast<const Pd&>(pd), attributes, udata);
}

Result<std::unique_ptr<rnic::QueuePair>> EmbeddedContext::create_qp(uint32_t handle, QpInit& init,
                                                                    rnic::Udata& udata) {
    return Qp::create(services_, rings_, handle, init, udata);
}

Result<std::unique_ptr<rnic::AddressHandle>> EmbeddedContext::create_ah(
    rnic::ProtectionDomain& pd, const rnic::AhAttributes& attributes, rnic::Udata& udata) {
    return Ah::create(services_, static_cast<const Pd&>(pd), attributes, udata);
}

Result<void> EmbeddedContext::save(state::Context& context, state::FilesToSend& files) const {
    context.mutable_embedded()->set_rings_file(files.add(rings_.memory().fd()));
    context.mutable_embedded()->set_rings_size(rings_.memory().file_size());
    return {};
}

Result<std::unique_ptr<rnic::Context>> EmbeddedContext::restore(const PortServices& services,
                                                                const state::Context& saved,
                                                                state::ReceivedFiles& files) {
    const Quota& quota = services.quota;
    const uint64_t size = saved.embedded().rings_size();
    if (!saved.has_embedded() || size > quota.limits().ring_bytes_per_context) {
        return fail(EINVAL);
    }
    auto file = files.take_needed(saved.embedded().rings_file());
    if (!file) {
        return fail(file.error());
    }
    auto count = services.quota.take(&Usage::contexts);
    if (!count) {
        return fail(count.error());
    }
    // A limit that was lowered takes nothing away.
    auto memory = RingMemory::restore(std::move(*file), size, std::max(size, quota.ring_space()));
    if (!memory) {
        return fail(memory.error());
    }
    return std::unique_ptr<rnic::Context>(new EmbeddedContext(
        services, RingPool(std::move(*memory), services.quota), std::move(*count)));
}

Result<std::unique_ptr<rnic::ProtectionDomain>> EmbeddedContext::restore_pd(
    const state::Pd& saved) {
    if (!saved.has_embedded()) {
        return fail(EINVAL);
    }
    return Pd::create(services_.quota);
}

Result<std::unique_ptr<rnic::MemoryRegion>> EmbeddedContext::restore_mr(
    rnic::ProtectionDomain& pd, const state::Mr& saved, const memory::GuestMemory& memory) {
    return Mr::restore(services_.gate, services_.quota, services_.port.keys(),
                       static_cast<const Pd&>(pd), saved, memory);
}

Result<std::unique_ptr<rnic::CompletionQueue>> EmbeddedContext::restore_cq(const state::Cq& saved) {
    return Cq::restore(services_, rings_, saved);
}

Result<std::unique_ptr<rnic::SharedReceiveQueue>> EmbeddedContext::restore_srq(
    rnic::ProtectionDomain& pd, const state::Srq& saved) {
    return Srq::restore(services_, rings_, static_cast<const Pd&>(pd), saved);
}

Result<std::unique_ptr<rnic::QueuePair>> EmbeddedContext::restore_qp(const QpInit& pointers,
                                                                     const state::Qp& saved) {
    return Qp::restore(services_, rings_, pointers, saved);
}

Result<std::unique_ptr<rnic::AddressHandle>> EmbeddedContext::restore_ah(rnic::ProtectionDomain& pd,
                                                                         const state::Ah& saved) {
    return Ah::restore(services_, static_cast<const Pd&>(pd), saved);
}

Result<std::unique_ptr<rnic::MemoryWindow>> EmbeddedContext::restore_mw(rnic::ProtectionDomain& pd,
                                                                        const state::Mw& saved) {
    return Mw::restore(services_.gate, services_.quota, services_.port, static_cast<const Pd&>(pd),
                       saved);
}

}  // namespace vrdma::embedded
