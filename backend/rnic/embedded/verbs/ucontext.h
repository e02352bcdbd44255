// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <memory>

#include "rnic/embedded/verbs/port_services.h"
#include "rnic/embedded/verbs/ring_pool.h"
#include "rnic/rnic.h"

namespace vrdma::embedded {

// One guest user context: it hands each verb to the object's own file.
class EmbeddedContext final : public rnic::Context {
  public:
    // ENOMEM, or why the rings' file could not be made.
    static Result<std::unique_ptr<rnic::Context>> create(const PortServices& services);

    // The context that save() wrote. EINVAL or EBADF when its rings are not in the file; ENOMEM.
    static Result<std::unique_ptr<rnic::Context>> restore(const PortServices& services,
                                                          const state::Context& saved,
                                                          state::ReceivedFiles& files);

    Result<rnic::MmapSource> mmap(uint64_t offset, uint64_t length) override;
    Result<std::unique_ptr<rnic::ProtectionDomain>> alloc_pd(rnic::Udata& udata) override;
    Result<std::unique_ptr<rnic::MemoryRegion>> reg_mr(rnic::ProtectionDomain& pd,
                                                       rnic::MrAttributes attributes,
                                                       rnic::Udata& udata) override;
    Result<std::unique_ptr<rnic::MemoryRegion>> get_dma_mr(
        rnic::ProtectionDomain& pd, const rnic::DmaMrAttributes& attributes) override;
    Result<std::unique_ptr<rnic::MemoryRegion>> alloc_mr(
        rnic::ProtectionDomain& pd, rnic::FastMrAttributes attributes) override;
    Result<std::unique_ptr<rnic::MemoryWindow>> alloc_mw(rnic::ProtectionDomain& pd, uint8_t type,
                                                         rnic::Udata& udata) override;
    Result<std::unique_ptr<rnic::CompletionQueue>> create_cq(uint32_t handle,
                                                             rnic::CqAttributes& attributes,
                                                             rnic::Udata& udata) override;
    Result<std::unique_ptr<rnic::SharedReceiveQueue>> create_srq(uint32_t handle,
                                                                 rnic::ProtectionDomain& pd,
                                                                 rnic::SrqAttributes& attributes,
                                                                 rnic::Udata& udata) override;
    Result<std::unique_ptr<rnic::QueuePair>> create_qp(uint32_t handle, QpInit& init,
                                                       rnic::Udata& udata) override;
    Result<std::unique_ptr<rnic::AddressHandle>> create_ah(rnic::ProtectionDomain& pd,
                                                           const rnic::AhAttributes& attributes,
                                                           rnic::Udata& udata) override;

    Result<void> save(state::Context& context, state::FilesToSend& files) const override;
    Result<std::unique_ptr<rnic::ProtectionDomain>> restore_pd(const state::Pd& saved) override;
    Result<std::unique_ptr<rnic::MemoryRegion>> restore_mr(
        rnic::ProtectionDomain& pd, const state::Mr& saved,
        const memory::GuestMemory& memory) override;
    Result<std::unique_ptr<rnic::CompletionQueue>> restore_cq(const state::Cq& saved) override;
    Result<std::unique_ptr<rnic::SharedReceiveQueue>> restore_srq(rnic::ProtectionDomain& pd,
                                                                  const state::Srq& saved) override;
    Result<std::unique_ptr<rnic::QueuePair>> restore_qp(const QpInit& pointers,
                                                        const state::Qp& saved) override;
    Result<std::unique_ptr<rnic::AddressHandle>> restore_ah(rnic::ProtectionDomain& pd,
                                                            const state::Ah& saved) override;
    Result<std::unique_ptr<rnic::MemoryWindow>> restore_mw(rnic::ProtectionDomain& pd,
                                                           const state::Mw& saved) override;

  private:
    EmbeddedContext(const PortServices& services, RingPool rings, rnic::LiveCount count)
        : services_(services), rings_(std::move(rings)), count_(std::move(count)) {}

    const PortServices services_;
    const RingPool rings_;
    rnic::LiveCount count_;
};

}  // namespace vrdma::embedded
