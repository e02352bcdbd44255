// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Guest memory that a request names: the memory behind user pointers in its udata and the runs
// of a memory region (docs/spec.md, "Control queue" and "User pointers in udata").
#pragma once

#include <vrdma_commands.h>
#include <vrdma_udata.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "budget.h"
#include "device/objects/memory_quota.h"
#include "memory/guest_memory.h"
#include "result.h"
#include "rnic/rnic.h"
#include "vhost/rings/descriptor_chain.h"

namespace vrdma::device {

// Gives guest memory as it is at the moment of the call; null when there is none.
using GuestMemorySource = std::function<std::shared_ptr<const memory::GuestMemory>()>;

// Runs of guest-physical addresses that a request brought; private copies.
class GuestRuns {
  public:
    GuestRuns() = default;
    // `mr_runs` bounds the pieces of one request, of which there are `pieces_before` already.
    // `memory`, `mr_runs` and what `runs` points to outlive the object.
    GuestRuns(std::span<const vrdma_run> runs, const GuestMemorySource& memory, Budget& mr_runs,
              uint64_t pieces_before = 0)
        : runs_(runs), memory_(&memory), mr_runs_(&mr_runs), pieces_before_(pieces_before) {}

    // The host memory behind the runs: one piece for each run, or more where a run spans regions
    // of guest memory that adjoin.  EINVAL unless the runs sum up to `length` bytes, EFAULT where
    // there is no guest memory, ENOMEM and a log line for too many pieces.
    Result<std::vector<memory::PinnedRange>> pin(uint64_t length) const;

  private:
    std::span<const vrdma_run> runs_{};
    const GuestMemorySource* memory_ = nullptr;
    Budget* mr_runs_ = nullptr;
    uint64_t pieces_before_ = 0;
};

// The memory of one request.
struct RequestMemory {
    std::vector<rnic::UdataRegion> udata_regions;  // behind user pointers in udata
    MemoryUse lasting;  // of udata_regions, what the object that is made keeps in use
    GuestRuns runs;     // of a memory region; valid until the next read()
};

// Reads the memory of requests, one after the other.
class RequestMemoryReader {
  public:
    // The parts of a request that have been read already; private copies.
    struct Request {
        uint16_t opcode = 0;
        std::span<const std::byte> fixed;  // the request structure of that opcode
        std::span<const std::byte> udata;
        uint32_t run_count = 0;  // of a memory region
    };

    // Reads what follows udata, from `offset` of the chain, and finds the memory behind the
    // user pointers that `pointers` describes.  ENOMEM and a log line for more runs or
    // pieces than `mr_runs` allows for one request, EFAULT for a pointer without its region and for
    // what is not guest memory, EINVAL for all else that does not fit.
    Result<RequestMemory> read(const vhost::DescriptorChain& chain, size_t offset,
                               const Request& request,
                               std::span<const vrdma_udata_pointer> pointers,
                               const GuestMemorySource& memory, Budget& mr_runs);

  private:
    Result<void> read_runs(const vhost::DescriptorChain& chain, size_t offset, uint64_t count,
                           Budget& limit);

    std::vector<vrdma_run> runs_;  // reused from request to request
};

}  // namespace vrdma::device
