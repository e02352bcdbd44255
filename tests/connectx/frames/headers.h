// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// The headers of a frame, and its checksums.
#ifndef VRDMA_CONNECTX_FRAMES_HEADERS_H
#define VRDMA_CONNECTX_FRAMES_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    kEthernetHeader = 14,
    kTag = 4,  // of 802.1Q, before the type
    kMacs = 12,
    kEtherIpv4 = 0x0800,
    kEtherIpv6 = 0x86dd,
    kEtherTag = 0x8100,
    kEtherServiceTag = 0x88a8,
    kTcp = 6,
    kUdp = 17,
};

typedef struct {
    bool tagged, service_tagged;  // by 802.1Q, by 802.1ad
    uint16_t tag;                 // its control field
    uint16_t type;                // EtherType behind the tag
    size_t network;               // where the network header begins
    // 4 or 6 if there is a whole IP header whose length the frame has; otherwise 0.
    unsigned version;
    unsigned header_bytes;  // of the IP header
    size_t end;             // of the IP packet, which padding may follow
    uint8_t protocol;
    bool fragment;
    size_t transport;  // where TCP or UDP begins; 0 if the frame has no whole header of these
} Headers;

// False for what is shorter than an Ethernet header.
bool headers_parse(const uint8_t* frame, size_t size, Headers* headers);

// The sum of bytes in ones' complement (RFC 1071), and what it is in 16 bits.
uint32_t checksum_add(uint32_t sum, const uint8_t* bytes, size_t size);
uint16_t checksum_fold(uint32_t sum);

// Writes the checksum of an IPv4 header; that of TCP or UDP.
void checksum_network(uint8_t* frame, const Headers* headers);
void checksum_transport(uint8_t* frame, const Headers* headers);

// Whether the checksum of the IP header, and that of TCP or UDP, is there and right.
bool checksum_network_is_right(const uint8_t* frame, const Headers* headers);
bool checksum_transport_is_right(const uint8_t* frame, const Headers* headers);

#ifdef __cplusplus
}
#endif

#endif
