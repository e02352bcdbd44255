// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>

#include "file_descriptor.h"

namespace vrdma::hostile {

// What a VMM has for its guest's memory.
enum class MemoryFile {
    kSealed,    // a memfd that nobody can shrink
    kUnsealed,  // a memfd that its VMM can shrink, where the operator allows those
    kTmpfs      // a file of tmpfs, which cannot be sealed
};

// A file of `size` bytes.  Throws std::runtime_error when there is none to be had.
FileDescriptor make_memory_file(MemoryFile kind, uint64_t size);

}  // namespace vrdma::hostile
