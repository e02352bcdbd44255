// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "support/guest_ram.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

namespace vrdma::test {

std::shared_ptr<const memory::GuestRegion> make_guest_ram(const RamOptions& options) {
    const FileDescriptor file(::memfd_create("ram", MFD_CLOEXEC));
    if (!file.valid() || ::ftruncate(file.get(), static_cast<off_t>(options.size)) != 0) {
        throw std::runtime_error("no memory file");
    }
    auto mapping = memory::Mapping::map(file.get(), 0, options.size);
    if (!mapping) {
        throw std::runtime_error("cannot map a memory file");
    }
    for (uint64_t page = 0; page < options.size / kRamPage; ++page) {
        std::memcpy(mapping->data() + page * kRamPage, &page, sizeof(page));
    }
    memory::FileBacking backing;
    if (options.backed) {
        const std::string name = "/proc/self/fd/" + std::to_string(file.get());
        backing = {FileDescriptor(::open(name.c_str(), options.file_flags | O_CLOEXEC)), 0,
                   options.page_size};
        if (!backing.file.valid()) {
            throw std::runtime_error("cannot open a memory file again");
        }
    }
    return std::make_shared<const memory::GuestRegion>(memory::GuestPhysicalAddress{options.start},
                                                       options.size, options.vmm_start,
                                                       std::move(*mapping), 0, std::move(backing));
}

}  // namespace vrdma::test
