// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "device/shm/doorbell_area.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <vrdma_protocol.h>

#include <system_error>

namespace vrdma::device {

DoorbellArea::DoorbellArea()
    : fd_(::memfd_create("vrdma-doorbells", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
    constexpr size_t kPage = VRDMA_SHM_PAGE_SIZE;
    constexpr size_t kLength = (sizeof(vrdma_doorbell_area) + kPage - 1) / kPage * kPage;
    // The VMM gets the file and must not be able to shrink it under the daemon's mapping.
    if (!fd_ || ::ftruncate(fd_.get(), kLength) != 0 ||
        ::fcntl(fd_.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        throw std::system_error(errno, std::generic_category(), "doorbell area");
    }
    auto mapping = memory::Mapping::map(fd_.get(), 0, kLength);
    if (!mapping) {
        throw std::system_error(to_int(mapping.error()), std::generic_category(), "doorbell area");
    }
    mapping_ = std::move(*mapping);
}

}  // namespace vrdma::device
