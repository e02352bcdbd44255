// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "result.h"

namespace vrdma::uverbs {

// An open uverbs file: one user context of an RNIC's kernel driver.  Closing it releases
// all that was made through it.
class UverbsFile {
  public:
    virtual ~UverbsFile() = default;

    // Has the kernel execute one command: struct ib_uverbs_cmd_hdr and all that follows it.
    // The response goes to the address that the command names.  Errors: the kernel's.
    virtual Result<void> execute(std::span<const std::byte> command) = 0;

    // For mmap; borrowed.
    virtual int fd() const = 0;
};

// The uverbs device of an RNIC.
class UverbsDevice {
  public:
    virtual ~UverbsDevice() = default;
    virtual Result<std::unique_ptr<UverbsFile>> open() = 0;
};

}  // namespace vrdma::uverbs
