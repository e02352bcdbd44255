// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "memory/mapping.h"

#include <sys/mman.h>

namespace vrdma::memory {

Result<Mapping> Mapping::map(int fd, uint64_t offset, size_t size) {
    void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
                        static_cast<off_t>(offset));
    if (data == MAP_FAILED) {
        return fail(errno);
    }
    return Mapping(static_cast<std::byte*>(data), size);
}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(charges_, other.charges_);
    return *this;
}

Mapping::~Mapping() {
    if (data_ != nullptr) {
        ::munmap(data_, size_);
    }
}

}  // namespace vrdma::memory
