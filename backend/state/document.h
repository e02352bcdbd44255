// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A state as bytes (docs/state.md): a header that says what it is and by which a damaged one is
// found out, and a message of Protocol Buffers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "state/daemon.pb.h"

namespace vrdma::state {

// The version of the format.  It changes when an older vrdmad would misunderstand a state.  What is
// only new is a new field, which an older vrdmad refuses if it is there.
inline constexpr uint32_t kFormatVersion = 1;

// No state is longer: 1 GiB, of some million objects.
inline constexpr size_t kMaxDocument = size_t{1} << 30;

std::vector<std::byte> encode(const Daemon& daemon);

// What decode() says is for the operator, who reads it after "the state cannot be taken over: ".
tl::expected<Daemon, std::string> decode(std::span<const std::byte> document);

}  // namespace vrdma::state
