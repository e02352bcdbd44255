// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/verbs/xrc_context.h"

#include <vector>

namespace vrdma::uverbs {

XrcContext::XrcContext(PortState& port, std::unique_ptr<UverbsFile> file)
    : state_{.port = port, .file = std::move(file)}, count_(port.rnic->live.contexts) {}

XrcContext::~XrcContext() {
    // The events go before the uverbs file that they are of.
    if (async_events_ != nullptr) {
        state_.port.worker.forget(*async_events_);
    }
}

Result<std::shared_ptr<XrcContext>> XrcContext::of(PortState& port) {
    if (auto there = port.xrc.lock()) {
        return there;
    }
    auto file = port.rnic->device->open();
    if (!file) {
        port.log.warn(file.error(),
                      "{}: no domain of XRC: the RNIC's uverbs device cannot be opened: {}",
                      port.guest, to_string(file.error()));
        return fail(file.error());
    }
    std::shared_ptr<XrcContext> context(new XrcContext(port, std::move(*file)));
    if (auto opened = context->open(); !opened) {
        return fail(opened.error());
    }
    port.xrc = context;
    return context;
}

Result<void> XrcContext::open() {
    const VendorEntry& vendor = state_.port.rnic->vendor;
    ib_uverbs_get_context_resp context{};
    std::vector<std::byte> answer(vendor.own_context_answer);
    auto got =
        execute(*state_.file, {IB_USER_VERBS_CMD_GET_CONTEXT, ib_uverbs_get_context{}, context},
                {.in = vendor.own_context, .out = answer});
    if (!got) {
        return got;
    }
    return watch(FileDescriptor(static_cast<int>(context.async_fd)));
}

// Has the worker read the events of the target queue pairs from now on.
Result<void> XrcContext::watch(FileDescriptor async_events) {
    async_events_ = std::make_shared<AsyncEvents>(std::move(async_events), state_.port.events);
    return state_.port.worker.watch(async_events_);
}

void XrcContext::save(state::UverbsXrcd& saved, state::FilesToSend& files) const {
    saved.set_uverbs_file(files.add(state_.file->fd()));
    saved.set_async_events_file(files.add(async_events_->fd()));
}

Result<std::shared_ptr<XrcContext>> XrcContext::restore(PortState& port,
                                                        const state::UverbsXrcd& saved,
                                                        state::ReceivedFiles& files) {
    auto fd = files.take_needed(saved.uverbs_file());
    auto async_events = files.take_needed(saved.async_events_file());
    if (!fd || !async_events) {
        return fail(EBADF);
    }
    if (auto there = port.xrc.lock()) {
        return there;
    }
    auto file = port.rnic->device->adopt(std::move(*fd));
    if (!file) {
        return fail(file.error());
    }
    std::shared_ptr<XrcContext> context(new XrcContext(port, std::move(*file)));
    if (auto watched = context->watch(std::move(*async_events)); !watched) {
        return fail(watched.error());
    }
    port.xrc = context;
    return context;
}

}  // namespace vrdma::uverbs
