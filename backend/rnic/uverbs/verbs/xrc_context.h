// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <memory>

#include "rnic/live_objects.h"
#include "rnic/uverbs/verbs/context_state.h"
#include "state/files.h"
#include "state/uverbs.pb.h"

namespace vrdma::uverbs {

// The uverbs file that has a guest's domains of XRC and their target queue pairs: one for each
// port, as long as the guest has a domain.  Processes of the guest share a domain, and a target
// queue pair is there as long as one of them has it open.  The file of one process would take it
// along.
class XrcContext {
  public:
    // The port's.  Opens it if there is none.  `port` outlives the object.  Errors: those of
    // opening a uverbs file, and the kernel's.
    static Result<std::shared_ptr<XrcContext>> of(PortState& port);

    // The port's, from the files that save() wrote.  If the port has one, these are further
    // descriptors of the same files.  EBADF for other files than the RNIC's.
    static Result<std::shared_ptr<XrcContext>> restore(PortState& port,
                                                       const state::UverbsXrcd& saved,
                                                       state::ReceivedFiles& files);
    void save(state::UverbsXrcd& saved, state::FilesToSend& files) const;

    ~XrcContext();
    XrcContext(const XrcContext&) = delete;
    XrcContext& operator=(const XrcContext&) = delete;

    const ContextState& state() const { return state_; }

  private:
    XrcContext(PortState& port, std::unique_ptr<UverbsFile> file);
    Result<void> open();
    Result<void> watch(FileDescriptor async_events);

    ContextState state_;
    const rnic::LiveCount count_;
    std::shared_ptr<EventFile> async_events_;  // of the target queue pairs
};

}  // namespace vrdma::uverbs
