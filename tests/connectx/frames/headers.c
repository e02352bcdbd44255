// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/frames/headers.h"

#include <string.h>

#include "connectx/roce/bytes.h"

enum {
    kIpv4Header = 20,
    kIpv6Header = 40,
    kTcpHeader = 20,
    kUdpHeader = 8,
    kIpv4Checksum = 10,
    kTcpChecksum = 16,
    kUdpChecksum = 6,
    kFragmentBits = 0x3fff,  // more to come, or an offset
};

static void parse_ipv4(const uint8_t* ip, size_t size, Headers* headers) {
    const unsigned bytes = (ip[0] & 0xf) * 4;
    const unsigned total = roce_get16(ip + 2);

    if (bytes < kIpv4Header || total < bytes || total > size) {
        return;
    }
    headers->version = 4;
    headers->header_bytes = bytes;
    headers->end = headers->network + total;
    headers->protocol = ip[9];
    headers->fragment = roce_get16(ip + 6) & kFragmentBits;
}

// Extension headers are not looked into: the protocol is that of the first one.
static void parse_ipv6(const uint8_t* ip, size_t size, Headers* headers) {
    const unsigned payload = roce_get16(ip + 4);

    if (payload > size - kIpv6Header) {
        return;
    }
    headers->version = 6;
    headers->header_bytes = kIpv6Header;
    headers->end = headers->network + kIpv6Header + payload;
    headers->protocol = ip[6];
}

static void find_transport(Headers* headers) {
    const size_t at = headers->network + headers->header_bytes;
    const size_t least = headers->protocol == kTcp ? kTcpHeader : kUdpHeader;

    if (headers->version && !headers->fragment &&
        (headers->protocol == kTcp || headers->protocol == kUdp) && headers->end - at >= least) {
        headers->transport = at;
    }
}

bool headers_parse(const uint8_t* frame, size_t size, Headers* headers) {
    memset(headers, 0, sizeof(*headers));
    if (size < kEthernetHeader) {
        return false;
    }
    headers->type = roce_get16(frame + kMacs);
    headers->network = kEthernetHeader;
    if ((headers->type == kEtherTag || headers->type == kEtherServiceTag) &&
        size >= kEthernetHeader + kTag) {
        headers->tagged = headers->type == kEtherTag;
        headers->service_tagged = !headers->tagged;
        headers->tag = roce_get16(frame + kMacs + 2);
        headers->type = roce_get16(frame + kMacs + kTag);
        headers->network += kTag;
    }
    if (headers->type == kEtherIpv4 && size >= headers->network + kIpv4Header &&
        frame[headers->network] >> 4 == 4) {
        parse_ipv4(frame + headers->network, size - headers->network, headers);
    } else if (headers->type == kEtherIpv6 && size >= headers->network + kIpv6Header &&
               frame[headers->network] >> 4 == 6) {
        parse_ipv6(frame + headers->network, size - headers->network, headers);
    }
    find_transport(headers);
    return true;
}

uint32_t checksum_add(uint32_t sum, const uint8_t* bytes, size_t size) {
    for (; size >= 2; bytes += 2, size -= 2) {
        sum += roce_get16(bytes);
        // The carry comes back at once: 64 KiB of words do not fit into 32 bits otherwise.
        sum = (sum & 0xffff) + (sum >> 16);
    }
    if (size) {
        sum += bytes[0] << 8;
    }
    return sum;
}

uint16_t checksum_fold(uint32_t sum) {
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

// The sum of TCP or UDP with its pseudo header (RFC 9293, 3.1; RFC 8200, 8.1).
static uint32_t transport_sum(const uint8_t* frame, const Headers* headers) {
    const uint8_t* ip = frame + headers->network;
    const uint32_t size = headers->end - headers->transport;
    uint32_t sum = headers->protocol + (size & 0xffff) + (size >> 16);

    sum = headers->version == 4 ? checksum_add(sum, ip + 12, 8) : checksum_add(sum, ip + 8, 32);
    return checksum_add(sum, frame + headers->transport, size);
}

void checksum_network(uint8_t* frame, const Headers* headers) {
    uint8_t* ip = frame + headers->network;

    if (headers->version == 4) {
        roce_put16(ip + kIpv4Checksum, 0);
        roce_put16(ip + kIpv4Checksum, ~checksum_fold(checksum_add(0, ip, headers->header_bytes)));
    }
}

void checksum_transport(uint8_t* frame, const Headers* headers) {
    const bool tcp = headers->protocol == kTcp;
    uint8_t* place = frame + headers->transport + (tcp ? kTcpChecksum : kUdpChecksum);
    uint16_t sum;

    if (headers->transport) {
        roce_put16(place, 0);
        sum = ~checksum_fold(transport_sum(frame, headers));
        // No checksum is 0 of UDP, which stands for none (RFC 768).
        roce_put16(place, sum == 0 && !tcp ? 0xffff : sum);
    }
}

bool checksum_network_is_right(const uint8_t* frame, const Headers* headers) {
    const uint8_t* ip = frame + headers->network;

    return headers->version == 6 ||
           (headers->version == 4 &&
            checksum_fold(checksum_add(0, ip, headers->header_bytes)) == 0xffff);
}

bool checksum_transport_is_right(const uint8_t* frame, const Headers* headers) {
    if (!headers->transport) {
        return false;
    }
    if (headers->protocol == kUdp && headers->version == 4 &&
        roce_get16(frame + headers->transport + kUdpChecksum) == 0) {
        return true;
    }
    return checksum_fold(transport_sum(frame, headers)) == 0xffff;
}
