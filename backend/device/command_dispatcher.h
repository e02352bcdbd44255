// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "device/request/request_memory.h"
#include "device/verb_figures.h"
#include "device/verbs/verbs.h"
#include "rate_limited_log.h"
#include "vhost/rings/descriptor_chain.h"

namespace vrdma::device {

// Largest udata in either direction, in bytes.
inline constexpr uint32_t kMaxUdata = 4096;

// Takes a chain of the control queue to the verb that it asks for, and writes the answer into
// the chain.  No byte of a chain is read twice.
class CommandDispatcher {
  public:
    CommandDispatcher(std::string guest, std::shared_ptr<spdlog::logger> logger);

    struct Outcome {
        uint32_t written = 0;    // bytes written to the chain
        bool cancelled = false;  // nothing happened; execute the chain again later
    };
    // Executes the command in `chain` on `verbs`.  Whatever the daemon has run out of, the verb
    // gets an errno.
    Outcome execute(vhost::DescriptorChain& chain, Verbs& verbs);

    // Answers `chain` for a device that has no RNIC.  A command that releases something succeeds,
    // as that is gone already; all others get ENODEV.
    static Outcome execute_without_rnic(vhost::DescriptorChain& chain);

    // Answers `chain` with `status`, 0 or an errno, whatever it asks for.
    static Outcome refuse(vhost::DescriptorChain& chain, int status);

    // The figures of all commands that named a verb and were not cancelled.
    const VerbFigures& figures() const { return figures_; }

  private:
    // What became of a command, for the figures.
    struct Attempt {
        std::optional<size_t> verb;  // its place in the table of commands
        int error = 0;               // the errno that the verb gets
    };

    Outcome execute_or_refuse(vhost::DescriptorChain& chain, Verbs& verbs, Attempt& attempt);
    Outcome execute_or_throw(vhost::DescriptorChain& chain, Verbs& verbs, Attempt& attempt);

    const std::string guest_;
    RateLimitedLog log_;
    VerbFigures figures_;
    RequestMemoryReader memory_reader_;
    // Reused from command to command.
    std::vector<std::byte> udata_in_;
    std::vector<std::byte> udata_out_;
};

}  // namespace vrdma::device
