// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <vrdma_check.h>

#include <cstdint>
#include <memory>
#include <span>

#include "device/objects/guest_budgets.h"
#include "device/objects/memory_quota.h"
#include "device/request/call.h"
#include "device/request/request_memory.h"
#include "device/shm/shm_mapper.h"
#include "device/verbs/mmap.h"
#include "device/verbs/object_tables.h"
#include "result.h"
#include "rnic/rnic.h"

namespace vrdma::device {

// The state that the control verbs of one virtual device work on: the RNIC's port, the guest's
// objects and mappings, and the budget of each.  The verbs are functions, see below.  Not
// thread-safe.
class Verbs {
  public:
    struct Options {
        GuestBudgets& budgets;
        rnic::DeviceAttributes attributes;
        std::span<const vrdma_udata_pointer> udata_pointers{};  // the RNIC's
    };

    // Everything that the arguments refer to outlives the object.  `memory` gives guest memory as
    // it is at the moment of the call.
    Verbs(Options options, rnic::Port& port, ShmMapper& shm, DoorbellMemory doorbells,
          GuestMemorySource memory);
    // Destroys all objects.  The VMM tears the shared memory region down by itself.
    ~Verbs() = default;
    Verbs(const Verbs&) = delete;
    Verbs& operator=(const Verbs&) = delete;

    ObjectCounts counts() const { return options_.budgets.counts(); }

    // Destroys everything and takes it out of the shared memory region, which otherwise goes as
    // a whole.  The doorbell area stays mapped.
    void release_all();

    // Destroys all that the user context `uctx` owns, in the order of dependence and mappings
    // included, and the context itself.
    void release_ucontext(uint32_t uctx);

    const rnic::DeviceAttributes& attributes() const { return options_.attributes; }
    std::span<const vrdma_udata_pointer> udata_pointers() const { return options_.udata_pointers; }
    const GuestMemorySource& guest_memory() const { return memory_; }
    rnic::Port& port() { return port_; }
    GuestBudgets& budgets() { return options_.budgets; }
    ObjectTables& objects() { return objects_; }
    MemoryQuota& quota() { return quota_; }
    Mappings& mappings() { return mappings_; }

  private:
    const Options options_;
    rnic::Port& port_;
    const GuestMemorySource memory_;
    MemoryQuota quota_;
    Mappings mappings_;
    ObjectTables objects_;
};

// The function of each command (common/vrdma_command_table.h); each is defined in the file of
// the kind of object that it is about.  `request` is a private copy that has passed its own
// check (vrdma_check.h), and the device offers the command's feature.  The function fills all of
// `response` but the header.  It answers with an errno where the specification says so, and passes
// on the errno of the RNIC.
namespace verb {
#define VRDMA_VERB(NAME, name, opcode, request, response, feature, flags) \
    Result<void> name(Verbs&, Call&, const request&, response&);
VRDMA_COMMANDS(VRDMA_VERB)
#undef VRDMA_VERB
}  // namespace verb

}  // namespace vrdma::device
