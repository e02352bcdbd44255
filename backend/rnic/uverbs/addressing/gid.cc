// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/addressing/gid.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>

namespace vrdma::uverbs {
namespace {

constexpr std::array<uint8_t, kIpv4Offset> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr uint8_t kGidBits = 128;
constexpr uint8_t kMappedBits = 96;

bool is_mapped_ipv4(const rnic::Gid& gid) {
    return std::equal(kMapped.begin(), kMapped.end(), gid.begin());
}

// The part of byte `index` that a prefix of `length` bits covers.
uint8_t prefix_mask(uint8_t length, size_t index) {
    const int bits = std::clamp(length - static_cast<int>(index) * 8, 0, 8);
    return static_cast<uint8_t>(0xff00 >> bits);
}

}  // namespace

GidScope scope_of(const rnic::Gid& gid) {
    if (is_mapped_ipv4(gid)) return GidScope::kIpv4;
    // fe80::/10, RFC 4291, 2.5.6.
    if (gid[0] == 0xfe && (gid[1] & 0xc0) == 0x80) return GidScope::kIpv6LinkLocal;
    return GidScope::kIpv6;
}

bool is_zero(const rnic::Gid& gid) {
    const size_t first = is_mapped_ipv4(gid) ? kMapped.size() : 0;
    return std::all_of(gid.begin() + first, gid.end(), [](uint8_t byte) { return byte == 0; });
}

bool is_loopback(const rnic::Gid& gid) {
    static constexpr rnic::Gid kLoopback{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    return gid == kLoopback || (is_mapped_ipv4(gid) && gid[kIpv4Offset] == 127);
}

bool is_multicast(const rnic::Gid& gid) {
    return gid[0] == 0xff || (is_mapped_ipv4(gid) && (gid[kIpv4Offset] & 0xf0) == 0xe0);
}

int common_bits(const rnic::Gid& a, const rnic::Gid& b) {
    for (size_t i = 0; i < a.size(); ++i) {
        if (a[i] != b[i]) {
            const auto differing = static_cast<uint8_t>(a[i] ^ b[i]);
            return static_cast<int>(i) * 8 + std::countl_zero(differing);
        }
    }
    return static_cast<int>(a.size()) * 8;
}

std::string to_string(const rnic::Gid& gid) {
    char text[INET6_ADDRSTRLEN];
    if (is_mapped_ipv4(gid)) {
        return ::inet_ntop(AF_INET, gid.data() + kMapped.size(), text, sizeof(text));
    }
    return ::inet_ntop(AF_INET6, gid.data(), text, sizeof(text));
}

std::optional<rnic::Gid> parse_gid(std::string_view text) {
    const std::string terminated(text);
    if (terminated.size() != std::string_view(terminated.c_str()).size()) {
        return std::nullopt;
    }
    rnic::Gid gid{};
    if (::inet_pton(AF_INET6, terminated.c_str(), gid.data()) == 1) {
        return gid;
    }
    std::ranges::copy(kMapped, gid.begin());
    if (::inet_pton(AF_INET, terminated.c_str(), gid.data() + kMapped.size()) == 1) {
        return gid;
    }
    return std::nullopt;
}

bool GidPrefix::contains(const rnic::Gid& other) const {
    for (size_t i = 0; i < gid.size(); ++i) {
        if (((gid[i] ^ other[i]) & prefix_mask(length, i)) != 0) return false;
    }
    return true;
}

std::optional<GidPrefix> parse_gid_prefix(std::string_view text) {
    const auto slash = text.find('/');
    const std::string_view address = text.substr(0, slash);
    const auto gid = parse_gid(address);
    if (!gid) {
        return std::nullopt;
    }
    GidPrefix prefix{*gid, kGidBits};
    if (slash != std::string_view::npos) {
        const std::string_view digits = text.substr(slash + 1);
        uint8_t length = 0;
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), length);
        // "10.0.0.0/8" counts the bits of an IPv4 address.
        const bool ipv4 = address.find(':') == std::string_view::npos;
        const uint8_t before = ipv4 ? kMappedBits : 0;
        if (error != std::errc() || end != digits.data() + digits.size() ||
            length > kGidBits - before) {
            return std::nullopt;
        }
        prefix.length = static_cast<uint8_t>(before + length);
    }
    for (size_t i = 0; i < prefix.gid.size(); ++i) {
        if ((prefix.gid[i] & ~prefix_mask(prefix.length, i)) != 0) return std::nullopt;
    }
    return prefix;
}

std::string to_string(const GidPrefix& prefix) {
    if (prefix.is_one_gid()) {
        return to_string(prefix.gid);
    }
    const bool ipv4 = prefix.length >= kMappedBits && is_mapped_ipv4(prefix.gid);
    return fmt::format("{}/{}", to_string(prefix.gid), prefix.length - (ipv4 ? kMappedBits : 0));
}

rnic::Gid eui64_gid(const GidPrefix& prefix, const rnic::MacAddress& mac) {
    constexpr uint8_t kUniversal = 0x02;
    rnic::Gid gid = prefix.gid;
    gid[8] = mac[0] ^ kUniversal;
    gid[9] = mac[1];
    gid[10] = mac[2];
    gid[11] = 0xff;
    gid[12] = 0xfe;
    std::copy(mac.begin() + 3, mac.end(), gid.begin() + 13);
    return gid;
}

}  // namespace vrdma::uverbs
