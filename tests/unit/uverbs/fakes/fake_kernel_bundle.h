// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Definitions that the parts of the fake kernel share.
#pragma once

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "unit/uverbs/fakes/fake_kernel.h"

namespace vrdma::uverbs {

// By which descriptors of one file are known, whoever has them.
inline ino_t inode_of(int fd) {
    struct stat file {};
    return ::fstat(fd, &file) == 0 ? file.st_ino : 0;
}

template <typename T>
T load(std::span<const std::byte> bytes, size_t offset = 0) {
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof(value));
    return value;
}

inline std::vector<std::byte> copy_of(std::span<const std::byte> bytes) {
    return {bytes.begin(), bytes.end()};
}

// A command as its handler sees it (struct uverbs_attr_bundle).
struct FakeKernel::Bundle {
    KernelCommand command;
    std::byte* response = nullptr;
    size_t response_size = 0;  // the core's; the driver's follows

    template <typename T>
    Result<void> respond(const T& value) const {
        std::memcpy(response, &value, std::min(sizeof(value), response_size));
        return {};
    }
};

}  // namespace vrdma::uverbs
