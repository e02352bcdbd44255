// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The files that travel beside a state, in which each has a number.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "file_descriptor.h"
#include "result.h"

namespace vrdma::state {

// The files that a state names, as it is written.
class FilesToSend {
  public:
    // The number of a file, which stays open until all are sent; 0 for -1, which is none.
    uint32_t add(int fd) {
        if (fd < 0) {
            return 0;
        }
        fds_.push_back(fd);
        return static_cast<uint32_t>(fds_.size());
    }
    std::span<const int> all() const { return fds_; }
    uint32_t count() const { return static_cast<uint32_t>(fds_.size()); }

  private:
    std::vector<int> fds_;
};

// The files that came with a state, as it is read.
class ReceivedFiles {
  public:
    explicit ReceivedFiles(std::vector<FileDescriptor> fds)
        : fds_(std::move(fds)), last_(static_cast<uint32_t>(fds_.size())) {}

    // From now on only `count` files from the number `first` on can be taken.
    void allow(uint32_t first, uint32_t count) {
        first_ = first;
        last_ = uint64_t{first} + count - 1;
    }
    void allow_all() { allow(1, static_cast<uint32_t>(fds_.size())); }

    // The file with this number, which the caller has from now on; an invalid descriptor for 0.
    // EBADF when there is none such, or it was taken before, or is not allowed.
    Result<FileDescriptor> take(uint32_t number) {
        if (number == 0) {
            return FileDescriptor();
        }
        if (number < first_ || number > last_ || number > fds_.size() || !fds_[number - 1]) {
            return fail(EBADF);
        }
        return std::move(fds_[number - 1]);
    }
    // As take(), for a file that has to be there.
    Result<FileDescriptor> take_needed(uint32_t number) {
        return number == 0 ? fail(EBADF) : take(number);
    }

  private:
    std::vector<FileDescriptor> fds_;
    uint32_t first_ = 1;
    uint64_t last_;
};

// Allows those of one machine.
template <typename Machine>
void allow_own(ReceivedFiles& files, const Machine& machine) {
    if (machine.has_files()) {
        files.allow(machine.first_file(), machine.files());
    } else {
        files.allow_all();
    }
}

}  // namespace vrdma::state
