// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <memory>

#include "rnic/rnic.h"
#include "rnic/uverbs/verbs/context_state.h"
#include "rnic/uverbs/verbs/mr.h"

namespace vrdma::uverbs {

// One guest user context: one uverbs file of the host.
class UverbsContext final : public rnic::Context {
  public:
    static Result<std::unique_ptr<rnic::Context>> create(PortState& port, rnic::Udata& udata);
    ~UverbsContext() override;

    Result<rnic::MmapSource> mmap(uint64_t offset, uint64_t length) override;
    Result<std::unique_ptr<rnic::ProtectionDomain>> alloc_pd(rnic::Udata& udata) override;
    Result<std::unique_ptr<rnic::MemoryRegion>> reg_mr(rnic::ProtectionDomain& pd,
                                                       rnic::MrAttributes attributes,
                                                       rnic::Udata& udata) override;
    Result<std::unique_ptr<rnic::MemoryWindow>> alloc_mw(rnic::ProtectionDomain& pd, uint8_t type,
                                                         rnic::Udata& udata) override;
    Result<std::unique_ptr<rnic::CompletionQueue>> create_cq(uint32_t handle,
                                                             rnic::CqAttributes& attributes,
                                                             rnic::Udata& udata) override;
    Result<std::unique_ptr<rnic::SharedReceiveQueue>> create_srq(uint32_t handle,
                                                                 rnic::ProtectionDomain& pd,
                                                                 rnic::SrqAttributes& attributes,
                                                                 rnic::Udata& udata) override;
    Result<std::unique_ptr<rnic::SharedReceiveQueue>> restore_xrc_srq(
        const state::Srq& saved) override;
    Result<std::unique_ptr<rnic::SharedReceiveQueue>> create_xrc_srq(uint32_t handle,
                                                                     XrcSrqInit& init,
                                                                     rnic::Udata& udata) override;
    Result<std::unique_ptr<rnic::QueuePair>> create_qp(uint32_t handle, QpInit& init,
                                                       rnic::Udata& udata) override;
    Result<std::unique_ptr<rnic::AddressHandle>> create_ah(rnic::ProtectionDomain& pd,
                                                           const rnic::AhAttributes& attributes,
                                                           rnic::Udata& udata) override;

    Result<void> save(state::Context& context, state::FilesToSend& files) const override;
    // What save() wrote.  Errors: EINVAL, those of UverbsDevice::adopt() and of watching files.
    static Result<std::unique_ptr<rnic::Context>> restore(PortState& port,
                                                          const state::Context& saved,
                                                          state::ReceivedFiles& files);
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
    UverbsContext(PortState& port, std::unique_ptr<UverbsFile> file);
    Result<void> open(rnic::Udata& udata);
    Result<void> watch(FileDescriptor async_events, FileDescriptor completion_channel);

    ContextState state_;
    RegionLayout layout_;
    const rnic::LiveCount count_;
    std::shared_ptr<EventFile> async_events_;
    std::shared_ptr<EventFile> completion_channel_;
};

}  // namespace vrdma::uverbs
