// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Accesses to guest memory may fail: the memory is in files, whose pages may not be there to be
// had (a full tmpfs, no huge page left) or whose end the VMM moves.  The kernel then raises
// SIGBUS in the thread that touches the page.  The handler for this signal puts zeros in the
// place of the page, so that the thread goes on, and reports the fault, so that the machine's
// connection is closed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "memory/fault_report.h"

namespace vrdma::memory {

// Addresses of this process at which guest memory is mapped.
struct WatchedAddresses {
    std::byte* begin = nullptr;
    uint64_t size = 0;         // bytes, a multiple of page_size
    uint64_t page_size = 0;    // of the file; `begin` is a multiple of it
    uint64_t file_offset = 0;  // of `begin`
};

struct Watch;  // what the handler knows of a range

// Has faults at these addresses reported instead of ending the process, for as long as the object
// lives.  The first object of a process installs the handler of SIGBUS.  All threads that touch
// guest memory leave the signal unblocked.
//
// The memory stays mapped for as long as the object lives, and whoever touches the memory keeps
// the object alive: that is why the handler may replace a page.
class WatchedRange {
  public:
    // Who touches the memory.  The handler looks among ranges of the first kind first.
    enum class Accesses {
        kOwn,     // this process does: guest RAM
        kKernels  // the kernel does, and gives EFAULT: RAM that is mapped a second time for it
    };

    WatchedRange();
    // `report` outlives the object because of the reference.
    WatchedRange(const WatchedAddresses& addresses, Accesses accesses, const FileLabel& file,
                 std::shared_ptr<FaultReport> report);
    WatchedRange(WatchedRange&& other) noexcept;
    WatchedRange& operator=(WatchedRange&& other) noexcept;
    WatchedRange(const WatchedRange&) = delete;
    WatchedRange& operator=(const WatchedRange&) = delete;
    ~WatchedRange();

  private:
    std::unique_ptr<Watch> watch_;
};

}  // namespace vrdma::memory
