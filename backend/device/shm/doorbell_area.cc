// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "device/shm/doorbell_area.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <vrdma_protocol.h>

#include <system_error>

namespace vrdma::device {
namespace {

constexpr size_t kPage = VRDMA_SHM_PAGE_SIZE;
constexpr size_t kLength = (sizeof(vrdma_doorbell_area) + kPage - 1) / kPage * kPage;
// The VMM gets the file and must not be able to shrink it under the daemon's mapping.
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

}  // namespace

DoorbellArea::DoorbellArea()
    : fd_(::memfd_create("vrdma-doorbells", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
    if (!fd_ || ::ftruncate(fd_.get(), kLength) != 0 ||
        ::fcntl(fd_.get(), F_ADD_SEALS, kSeals) != 0) {
        throw std::system_error(errno, std::generic_category(), "doorbell area");
    }
    map();
}

DoorbellArea::DoorbellArea(FileDescriptor file) : fd_(std::move(file)) {
    struct stat status {};
    if (::fstat(fd_.get(), &status) != 0 || status.st_size != kLength ||
        (::fcntl(fd_.get(), F_GET_SEALS) & kSeals) != kSeals) {
        throw std::system_error(EINVAL, std::generic_category(), "doorbell area");
    }
    map();
}

void DoorbellArea::map() {
    auto mapping = memory::Mapping::map(fd_.get(), 0, kLength);
    if (!mapping) {
        throw std::system_error(to_int(mapping.error()), std::generic_category(), "doorbell area");
    }
    mapping_ = std::move(*mapping);
}

}  // namespace vrdma::device
