// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "file_descriptor.h"

namespace vrdma::memory {

// The file that a watched range maps, by the name that a log line has for it, without room for
// more than a signal handler can copy.
using FileLabel = std::array<char, 160>;

// `name` as a label: cut off where the room ends, and without characters that would end a line.
FileLabel file_label(std::string_view name);

// An access to guest memory that the kernel could not carry out.
struct Fault {
    const void* address = nullptr;
    uint64_t file_offset = 0;
    bool hardware = false;  // the host's memory has an error there
    std::string file;
};

// Where the faults of one machine's memory are reported.  The thread that faults reports from a
// signal handler and goes on; the thread that serves the machine waits for the descriptor.
class FaultReport {
  public:
    // Throws std::system_error when the kernel has no descriptor left.
    FaultReport();
    FaultReport(const FaultReport&) = delete;
    FaultReport& operator=(const FaultReport&) = delete;

    // Becomes readable with the first fault, and stays so.
    int fd() const { return fd_.get(); }

    // The first fault; none before `fd` is readable.
    std::optional<Fault> first() const;

    // Reports a fault.  Returns how many there were before.  May be called from a signal handler.
    uint32_t add(const void* address, uint64_t file_offset, bool hardware, const FileLabel& file);

  private:
    FileDescriptor fd_;
    std::atomic<uint32_t> count_ = 0;
    std::atomic<bool> complete_ = false;  // the members below are written, and stay
    const void* address_ = nullptr;
    uint64_t file_offset_ = 0;
    bool hardware_ = false;
    FileLabel file_{};
};

}  // namespace vrdma::memory
