// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "hostile/memory_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <stdexcept>

namespace vrdma::hostile {

FileDescriptor make_memory_file(MemoryFile kind, uint64_t size) {
    FileDescriptor file(kind == MemoryFile::kTmpfs
                            ? ::open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)
                            : ::memfd_create("ram", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!file.valid() || ::ftruncate(file.get(), static_cast<off_t>(size)) != 0 ||
        (kind == MemoryFile::kSealed && ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK) != 0)) {
        throw std::runtime_error("no memory file");
    }
    return file;
}

}  // namespace vrdma::hostile
