// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "file_descriptor.h"
#include "rnic/uverbs/kernel/uverbs.h"

namespace vrdma::uverbs {

// A uverbs file of this host's kernel that another process opened.  The kernel refuses its write(2)
// to everybody else (ib_safe_file_access() compares credentials by their pointers).  An ioctl takes
// the same commands, in parts, from whoever has the file (UVERBS_METHOD_INVOKE_WRITE).
class AdoptedUverbsFile final : public UverbsFile {
  public:
    // `driver_id` is the driver's, enum rdma_driver_id; the kernel answers EINVAL to another.
    AdoptedUverbsFile(FileDescriptor fd, uint32_t driver_id)
        : fd_(std::move(fd)), driver_id_(driver_id) {}

    // EINVAL for a command that is extended, or not whole.
    Result<void> execute(std::span<const std::byte> command) override;
    Result<void> execute_parts(const UverbsCommand& command, CommandUdata udata,
                               std::span<std::byte> answer) override;
    int fd() const override { return fd_.get(); }

  private:
    struct Parts {
        uint32_t number;
        std::span<const std::byte> request;
        std::span<std::byte> response;
        std::span<const std::byte> udata_in;
        std::span<std::byte> udata_out;
    };
    Result<void> invoke(const Parts& parts);

    FileDescriptor fd_;
    const uint32_t driver_id_;
};

}  // namespace vrdma::uverbs
