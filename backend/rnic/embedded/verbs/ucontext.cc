// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/verbs/ucontext.h"

#include <vrdma_commands.h>

#include "rnic/embedded/verbs/ah.h"
#include "rnic/embedded/verbs/cq.h"
#include "rnic/embedded/verbs/mr.h"
#include "rnic/embedded/verbs/mw.h"
#include "rnic/embedded/verbs/pd.h"
#include "rnic/embedded/verbs/qp.h"
#include "rnic/embedded/verbs/srq.h"

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

}  // namespace vrdma::embedded
