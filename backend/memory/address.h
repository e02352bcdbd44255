// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Addresses of the three address spaces, as types that cannot be mixed up.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

namespace vrdma::memory {

// An address in the guest's physical memory.
struct GuestPhysicalAddress {
    uint64_t value = 0;
    auto operator<=>(const GuestPhysicalAddress&) const = default;
};

// An address of a guest process; an MR is addressed by such an address on the wire too.
struct GuestVirtualAddress {
    uint64_t value = 0;
    auto operator<=>(const GuestVirtualAddress&) const = default;
};

// guest-controlled: `size` bytes of guest memory at `data` in this process.  Another
// CPU can change them at any moment; read them through memory/guest_access.h.
struct HostRange {
    std::byte* data = nullptr;
    size_t size = 0;
};

}  // namespace vrdma::memory
