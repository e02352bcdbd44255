// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/verbs/xrcd.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>

#include "rnic/uverbs/verbs/qp.h"
#include "state/device.pb.h"

namespace vrdma::uverbs {
namespace {

constexpr KernelObjectKind kXrcdKind{
    .name = "domain of XRC",
    .destroy = destroy_by_handle<ib_uverbs_close_xrcd, IB_USER_VERBS_CMD_CLOSE_XRCD>,
    .counter = &rnic::LiveObjects::xrc_domains,
};

// The same domain, open in one more file.
constexpr KernelObjectKind kOpenedXrcdKind{
    .name = "domain of XRC in a user context",
    .destroy = kXrcdKind.destroy,
    .counter = nullptr,
};

// Returns the kernel's handle of the domain with this inode.  Makes the domain if there is none.
Result<uint32_t> open_xrcd(const ContextState& context, const FileDescriptor& inode) {
    ib_uverbs_open_xrcd request{};
    request.fd = static_cast<uint32_t>(inode.get());
    request.oflags = O_CREAT;
    ib_uverbs_open_xrcd_resp kernel{};
    auto opened = context.execute({IB_USER_VERBS_CMD_OPEN_XRCD, request, kernel});
    if (!opened) {
        return fail(opened.error());
    }
    return kernel.xrcd_handle;
}

}  // namespace

Xrcd::Xrcd(std::shared_ptr<XrcContext> context, FileDescriptor inode, uint32_t handle)
    : context_(std::move(context)),
      inode_(std::move(inode)),
      object_(context_->state(), kXrcdKind, handle) {}

Result<std::unique_ptr<rnic::XrcDomain>> Xrcd::create(PortState& port) {
    if (port.rnic->vendor.target_qp.empty()) {
        return fail(EOPNOTSUPP);
    }
    auto context = XrcContext::of(port);
    if (!context) {
        return fail(context.error());
    }
    // Files like those of eventfd(2) would not do: all of them have one inode.
    FileDescriptor inode(::memfd_create("vrdma-xrcd", MFD_CLOEXEC));
    if (!inode) {
        return fail(errno);
    }
    auto handle = open_xrcd((*context)->state(), inode);
    if (!handle) {
        return fail(handle.error());
    }
    return std::make_unique<Xrcd>(std::move(*context), std::move(inode), *handle);
}

Result<std::unique_ptr<rnic::QueuePair>> Xrcd::create_target_qp(uint32_t guest_handle,
                                                                rnic::Context::QpInit& init) {
    return Qp::create_target(context_->state(), guest_handle, object_.handle(), init);
}

Result<std::unique_ptr<KernelObject>> Xrcd::open_in(const ContextState& context) const {
    auto handle = open_xrcd(context, inode_);
    if (!handle) {
        return fail(handle.error());
    }
    return opened_in(context, *handle);
}

std::unique_ptr<KernelObject> Xrcd::opened_in(const ContextState& context, uint32_t handle) {
    return std::make_unique<KernelObject>(context, kOpenedXrcdKind, handle);
}

Result<void> Xrcd::save(state::Xrcd& saved, state::FilesToSend& files) const {
    if (!context_->state().port.rnic->files_travel) {
        return fail(EOPNOTSUPP);
    }
    state::UverbsXrcd& uverbs = *saved.mutable_uverbs();
    uverbs.set_kernel_handle(object_.handle());
    uverbs.set_inode_file(files.add(inode_.get()));
    context_->save(uverbs, files);
    return {};
}

Result<std::unique_ptr<rnic::XrcDomain>> Xrcd::restore(PortState& port, const state::Xrcd& saved,
                                                       state::ReceivedFiles& files) {
    if (!saved.has_uverbs() || port.rnic->vendor.target_qp.empty()) {
        return fail(EINVAL);
    }
    auto inode = files.take_needed(saved.uverbs().inode_file());
    if (!inode) {
        return fail(inode.error());
    }
    auto context = XrcContext::restore(port, saved.uverbs(), files);
    if (!context) {
        return fail(context.error());
    }
    return std::make_unique<Xrcd>(std::move(*context), std::move(*inode),
                                  saved.uverbs().kernel_handle());
}

Result<std::unique_ptr<rnic::QueuePair>> Xrcd::restore_target_qp(const state::Qp& saved) {
    return Qp::restore(context_->state(), {}, saved);
}

}  // namespace vrdma::uverbs
