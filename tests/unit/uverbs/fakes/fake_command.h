// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The fakes of the kernel's files read commands and answer them by these functions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace vrdma::uverbs {

// The structure that `bytes` begin with.  Fields that `bytes` are too short for are zero.
template <typename Request>
Request as(std::span<const std::byte> bytes) {
    Request request{};
    std::memcpy(&request, bytes.data(), std::min(sizeof(request), bytes.size()));
    return request;
}

// Writes to the response pointer of a command.
template <typename Response>
void answer(uint64_t address, const Response& response) {
    std::memcpy(reinterpret_cast<void*>(address), &response, sizeof(response));
}

}  // namespace vrdma::uverbs
