// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Frames for the tests of tests/connectx/frames.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "connectx/frames/headers.h"

namespace vrdma::frames {

using Bytes = std::vector<uint8_t>;

inline void put16(Bytes& bytes, size_t at, size_t value) {
    bytes[at] = static_cast<uint8_t>(value >> 8);
    bytes[at + 1] = static_cast<uint8_t>(value);
}

inline size_t get16(const Bytes& bytes, size_t at) {
    return static_cast<size_t>(bytes[at] << 8 | bytes[at + 1]);
}

inline size_t get32(const Bytes& bytes, size_t at) {
    return get16(bytes, at) << 16 | get16(bytes, at + 2);
}

enum class Ip { kV4, kV6 };

// A frame of TCP or UDP, with checksums of 0.
struct Frame {
    Ip ip = Ip::kV4;
    uint8_t protocol = kTcp;
    bool tagged = false;
    Bytes data;

    [[nodiscard]] size_t network() const { return kEthernetHeader + (tagged ? size_t{kTag} : 0U); }
    [[nodiscard]] size_t transport() const { return network() + (ip == Ip::kV4 ? 20U : 40U); }
    [[nodiscard]] size_t header_bytes() const {
        return transport() + (protocol == kTcp ? 20U : 8U);
    }

    [[nodiscard]] Bytes bytes() const {
        Bytes out(header_bytes());
        const size_t type = ip == Ip::kV4 ? kEtherIpv4 : kEtherIpv6;
        put16(out, kMacs, tagged ? size_t{kEtherTag} : type);
        if (tagged) {
            put16(out, kMacs + 2, 5);
            put16(out, kMacs + 4, type);
        }
        const size_t length = out.size() - network() + data.size();
        if (ip == Ip::kV4) {
            out[network()] = 0x45;
            put16(out, network() + 2, length);
            put16(out, network() + 4, 0xffff);
            out[network() + 8] = 64;
            out[network() + 9] = protocol;
            out[network() + 12] = 10;
            out[network() + 16] = 11;
        } else {
            out[network()] = 0x60;
            put16(out, network() + 4, length - 40);
            out[network() + 6] = protocol;
            out[network() + 8] = out[network() + 24] = 0xfd;
        }
        put16(out, transport(), 1000);
        put16(out, transport() + 2, 2000);
        if (protocol == kTcp) {
            put16(out, transport() + 6, 0xfff0);  // the sequence number's lower half
            out[transport() + 12] = 5 << 4;
            out[transport() + 13] = 0x80 | 0x10 | 0x08 | 0x01;  // CWR, ACK, PSH, FIN
        } else {
            put16(out, transport() + 4, 8 + data.size());
        }
        out.insert(out.end(), data.begin(), data.end());
        return out;
    }
};

inline Bytes pattern(size_t size) {
    Bytes bytes(size);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = static_cast<uint8_t>(i * 7 + i / 256);
    }
    return bytes;
}

}  // namespace vrdma::frames
