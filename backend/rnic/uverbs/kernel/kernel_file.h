// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <unistd.h>

#include <cstddef>
#include <span>
#include <utility>

#include "file_descriptor.h"
#include "result.h"

namespace vrdma::uverbs {

// A file of this host's kernel that takes its commands by write(2): a UverbsFile or a RdmaCmFile.
template <typename Interface>
class KernelFile final : public Interface {
  public:
    explicit KernelFile(FileDescriptor fd) : fd_(std::move(fd)) {}

    Result<void> execute(std::span<const std::byte> command) override {
        // The kernel takes a command as a whole or not at all.
        if (::write(fd_.get(), command.data(), command.size()) < 0) {
            return fail(errno);
        }
        return {};
    }

    int fd() const override { return fd_.get(); }

  private:
    FileDescriptor fd_;
};

}  // namespace vrdma::uverbs
