// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include "result.h"

namespace vrdma::uverbs {

// An open /dev/infiniband/rdma_cm.  Closing it ends all that was made through it.  Any thread.
class RdmaCmFile {
  public:
    virtual ~RdmaCmFile() = default;

    // Has the kernel execute one command: struct rdma_ucm_cmd_hdr and what follows it.
    // Errors: the kernel's.  EAGAIN when there is no event to get.
    virtual Result<void> execute(std::span<const std::byte> command) = 0;

    // Readable when there is an event; borrowed.
    virtual int fd() const = 0;
};

using OpenRdmaCm = std::function<Result<std::unique_ptr<RdmaCmFile>>()>;

// That of this host.
Result<std::unique_ptr<RdmaCmFile>> open_kernel_rdma_cm();

}  // namespace vrdma::uverbs
