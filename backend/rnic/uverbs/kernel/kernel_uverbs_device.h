// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "rnic/uverbs/kernel/uverbs_file.h"

namespace vrdma::uverbs {

// /dev/infiniband/uverbsN of this host.
class KernelUverbsDevice final : public UverbsDevice {
  public:
    explicit KernelUverbsDevice(std::filesystem::path path) : path_(std::move(path)) {}
    Result<std::unique_ptr<UverbsFile>> open() override;

  private:
    const std::filesystem::path path_;
};

}  // namespace vrdma::uverbs
