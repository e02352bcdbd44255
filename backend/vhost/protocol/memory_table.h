// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "file_descriptor.h"
#include "memory/guest_memory.h"
#include "vhost/protocol/vhost_user.h"

namespace vrdma::vhost {

// Memory regions that a VMM may have in all: enough for any number of hot-plugged modules.
inline constexpr uint64_t kMaxMemorySlots = 509;

// Maps a region that the VMM described, with the file's own page size taken into account.
// The error says what is wrong with the region.
tl::expected<std::shared_ptr<const memory::GuestRegion>, std::string> map_region(
    const VuMemoryRegion& region, const FileDescriptor& file);

}  // namespace vrdma::vhost
