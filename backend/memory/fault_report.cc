// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "memory/fault_report.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace vrdma::memory {

FileLabel file_label(std::string_view name) {
    FileLabel label{};
    const size_t length = std::min(name.size(), label.size() - 1);
    std::transform(name.begin(), name.begin() + static_cast<ptrdiff_t>(length), label.begin(),
                   [](char c) { return c >= ' ' && c <= '~' ? c : '?'; });
    return label;
}

FaultReport::FaultReport() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!fd_) {
        throw std::system_error(errno, std::generic_category(), "eventfd");
    }
}

std::optional<Fault> FaultReport::first() const {
    // Pairs with the release in add().
    if (!complete_.load(std::memory_order_acquire)) {
        return std::nullopt;
    }
    return Fault{.address = address_,
                 .file_offset = file_offset_,
                 .hardware = hardware_,
                 .file = file_.data()};
}

uint32_t FaultReport::add(const void* address, uint64_t file_offset, bool hardware,
                          const FileLabel& file) {
    const uint32_t before = count_.fetch_add(1, std::memory_order_relaxed);
    if (before == 0) {
        address_ = address;
        file_offset_ = file_offset;
        hardware_ = hardware;
        file_ = file;
        complete_.store(true, std::memory_order_release);
        const uint64_t one = 1;
        [[maybe_unused]] const ssize_t written = ::write(fd_.get(), &one, sizeof(one));
    }
    return before;
}

}  // namespace vrdma::memory
