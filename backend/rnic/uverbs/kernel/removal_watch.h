// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "file_descriptor.h"

namespace vrdma::uverbs {

// Tells when the kernel removes an RNIC's uverbs device.  While rxe or siw are removed, the kernel
// waits for every file and mapping of the device, so whoever has any must learn of the removal.
// One thread at a time.
class RemovalWatch {
  public:
    // `uverbs_name`: "uverbs0".  Throws std::system_error when the kernel does not let us listen.
    explicit RemovalWatch(std::string uverbs_name, const std::filesystem::path& sysfs = "/sys");

    // Becomes readable when removed() has something to read.
    int fd() const { return socket_.get(); }

    // Reads what the kernel has told, without waiting.  Once true, always true.
    bool removed();

    // Whether a message of the kernel (kobject_uevent) says that `uverbs_name` is being removed.
    static bool tells_removal(std::span<const char> message, std::string_view uverbs_name);

  private:
    const std::string uverbs_name_;
    const std::filesystem::path device_;
    FileDescriptor socket_;
    bool removed_ = false;
};

}  // namespace vrdma::uverbs
