// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "rnic/attributes.h"
#include "rnic/embedded/rings/rxe_abi.h"

namespace vrdma::embedded {

// Writes the 40 bytes in front of a received datagram (IBTA 1.4, 11.4.1.2; annex A17 for RoCEv2):
// the IPv6 header that the datagram would have had on the wire, or 20 unused bytes and the IPv4
// header when both addresses are IPv4 ones. `payload_length` is in bytes. Answers the packet type,
// which the completion has in the place of the service level.
uint8_t write_network_header(std::span<std::byte, kGrhSize> header, const rnic::Gid& source,
                             const rnic::AhAttributes& to, uint64_t payload_length);

}  // namespace vrdma::embedded
