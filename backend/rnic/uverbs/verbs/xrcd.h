// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Domains of extended reliable connections.
#pragma once

#include <cstdint>
#include <memory>

#include "file_descriptor.h"
#include "rnic/rnic.h"
#include "rnic/uverbs/verbs/kernel_object.h"
#include "rnic/uverbs/verbs/xrc_context.h"

namespace vrdma::uverbs {

// A domain of one guest.  The kernel shares a domain among the uverbs files that open it with the
// same inode (OPEN_XRCD), so each domain has an inode of its own, which only this object opens it
// with: no other guest and no other program of the host can.
class Xrcd final : public rnic::XrcDomain {
  public:
    // OPEN_XRCD in the port's XrcContext.  `port` outlives the object.
    static Result<std::unique_ptr<rnic::XrcDomain>> create(PortState& port);

    // The domain that save() wrote.  EINVAL and EBADF for what none of this RNIC's has.
    static Result<std::unique_ptr<rnic::XrcDomain>> restore(PortState& port,
                                                            const state::Xrcd& saved,
                                                            state::ReceivedFiles& files);

    Xrcd(std::shared_ptr<XrcContext> context, FileDescriptor inode, uint32_t handle);

    Result<std::unique_ptr<rnic::QueuePair>> create_target_qp(uint32_t guest_handle,
                                                              rnic::Context::QpInit& init) override;
    Result<void> save(state::Xrcd& saved, state::FilesToSend& files) const override;
    Result<std::unique_ptr<rnic::QueuePair>> restore_target_qp(const state::Qp& saved) override;

    // OPEN_XRCD in a guest's user context, until the object is gone.  `context` outlives it.
    Result<std::unique_ptr<KernelObject>> open_in(const ContextState& context) const;
    // A domain that is open in a user context already, by this handle of the kernel's.
    static std::unique_ptr<KernelObject> opened_in(const ContextState& context, uint32_t handle);

  private:
    const std::shared_ptr<XrcContext> context_;
    const FileDescriptor inode_;
    const KernelObject object_;
};

}  // namespace vrdma::uverbs
