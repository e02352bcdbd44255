// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/datapath/network_header.h"

#include <vrdma_kernel.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace vrdma::embedded {
namespace {

constexpr size_t kIpv4Size = 20;
constexpr uint8_t kUdp = 17;
// The bytes of the UDP, base transport and datagram headers, which stand between the IP header and
// the payload, and of the invariant CRC behind the payload.
constexpr uint64_t kTransportSize = 8 + 12 + 8 + 4;

// ::ffff:a.b.c.d
bool is_ipv4(const rnic::Gid& gid) {
    static constexpr std::array<uint8_t, 12> kPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return std::equal(kPrefix.begin(), kPrefix.end(), gid.begin());
}

void put16(uint8_t* to, uint64_t value) {
    to[0] = static_cast<uint8_t>(value >> 8);
    to[1] = static_cast<uint8_t>(value);
}

// RFC 1071, over a header whose checksum field is zero.
uint16_t ipv4_checksum(const uint8_t* header) {
    uint32_t sum = 0;
    for (size_t i = 0; i < kIpv4Size; i += 2) {
        sum += uint32_t{header[i]} << 8 | header[i + 1];
    }
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return static_cast<uint16_t>(~sum);
}

void write_ipv4(uint8_t* ip, const rnic::Gid& source, const rnic::AhAttributes& to,
                uint64_t length) {
    ip[0] = 0x45;  // version 4, five words
    ip[1] = to.traffic_class;
    put16(ip + 2, kIpv4Size + length);
    ip[6] = 0x40;  // do not fragment
    ip[8] = to.hop_limit;
    ip[9] = kUdp;
    std::memcpy(ip + 12, source.data() + 12, 4);
    std::memcpy(ip + 16, to.dgid.data() + 12, 4);
    put16(ip + 10, ipv4_checksum(ip));
}

void write_ipv6(uint8_t* ip, const rnic::Gid& source, const rnic::AhAttributes& to,
                uint64_t length) {
    ip[0] = static_cast<uint8_t>(0x60 | to.traffic_class >> 4);
    ip[1] = static_cast<uint8_t>(to.traffic_class << 4 | (to.flow_label >> 16 & 0xf));
    put16(ip + 2, to.flow_label);
    put16(ip + 4, length);
    ip[6] = kUdp;
    ip[7] = to.hop_limit;
    std::memcpy(ip + 8, source.data(), source.size());
    std::memcpy(ip + 24, to.dgid.data(), to.dgid.size());
}

}  // namespace

uint8_t write_network_header(std::span<std::byte, kGrhSize> header, const rnic::Gid& source,
                             const rnic::AhAttributes& to, uint64_t payload_length) {
    std::array<uint8_t, kGrhSize> bytes{};
    const uint64_t length = kTransportSize + payload_length;
    const bool ipv4 = is_ipv4(source) && is_ipv4(to.dgid);
    if (ipv4) {
        write_ipv4(bytes.data() + kGrhSize - kIpv4Size, source, to, length);
    } else {
        write_ipv6(bytes.data(), source, to, length);
    }
    std::memcpy(header.data(), bytes.data(), bytes.size());
    return ipv4 ? VRDMA_WC_UDP_IPV4 : VRDMA_WC_UDP_IPV6;
}

}  // namespace vrdma::embedded
