// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// GIDs as addresses: an IPv6 address, or an IPv4 address mapped into one
// (IBTA 1.4 annex A17, RoCE v2; RFC 4291, 2.5.5.2).
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "rnic/attributes.h"

namespace vrdma::uverbs {

// Where the IPv4 address is in ::ffff:a.b.c.d.
inline constexpr size_t kIpv4Offset = 12;

// GIDs of one scope can be the source and the destination of one packet.
enum class GidScope { kIpv4, kIpv6, kIpv6LinkLocal };

GidScope scope_of(const rnic::Gid& gid);
// The unspecified address of either family.
bool is_zero(const rnic::Gid& gid);
// 127.0.0.0/8 and ::1.
bool is_loopback(const rnic::Gid& gid);
bool is_multicast(const rnic::Gid& gid);

// How many bits from the first one on two GIDs have in common.
int common_bits(const rnic::Gid& a, const rnic::Gid& b);

// The address as text: "10.77.0.3", "fd00::3".
std::string to_string(const rnic::Gid& gid);

// Reads an IPv4 or IPv6 address.  No value when the text is neither.
std::optional<rnic::Gid> parse_gid(std::string_view text);

// The GIDs that share the first `length` bits with `gid`.  The other bits of `gid` are zero.
struct GidPrefix {
    rnic::Gid gid{};
    uint8_t length = 128;

    bool contains(const rnic::Gid& other) const;
    bool is_one_gid() const { return length == 128; }
    auto operator<=>(const GidPrefix&) const = default;
};

// The prefix of the addresses that network devices form by themselves (RFC 4291, 2.5.6).
inline constexpr GidPrefix kLinkLocalPrefix{{0xfe, 0x80}, 64};

// Reads "10.77.0.0/24", "fd00::/8", or an address alone.  Bits after the prefix must be zero.
std::optional<GidPrefix> parse_gid_prefix(std::string_view text);

std::string to_string(const GidPrefix& prefix);

// The address that a network device with this MAC address forms in a prefix of 64 bits: the
// modified EUI-64 of RFC 4291, appendix A.
rnic::Gid eui64_gid(const GidPrefix& prefix, const rnic::MacAddress& mac);

}  // namespace vrdma::uverbs
