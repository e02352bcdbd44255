// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/frames/segments.h"

#include <glib.h>
#include <string.h>

#include "connectx/roce/bytes.h"

enum {
    kIpv4Length = 2,
    kIpv4Identification = 4,
    kIpv6Length = 4,
    kIpv6Header = 40,
};

// Places in TCP's header.
enum {
    kSequence = 4,
    kDataOffset = 12,
    kFlags = 13,
    kOnlyFirst = 0x80,        // CWR
    kOnlyLast = 0x01 | 0x08,  // FIN, PSH
};

static void fill(uint8_t* frame, const Headers* headers, Checksums checksums) {
    if (checksums.network) {
        checksum_network(frame, headers);
    }
    if (checksums.transport) {
        checksum_transport(frame, headers);
    }
}

void frame_send(uint8_t* frame, size_t size, Checksums checksums, FrameSend* send, void* opaque) {
    Headers headers;

    if (headers_parse(frame, size, &headers)) {
        fill(frame, &headers, checksums);
        send(opaque, frame, size);
    }
}

static void set_length(uint8_t* frame, const Headers* headers, size_t size) {
    uint8_t* ip = frame + headers->network;

    if (headers->type == kEtherIpv4) {
        roce_put16(ip + kIpv4Length, (uint16_t)(size - headers->network));
    } else {
        roce_put16(ip + kIpv6Length, (uint16_t)(size - headers->network - kIpv6Header));
    }
}

// The headers alone, as those of a segment without data.
static bool parse(uint8_t* message, size_t header_bytes, Headers* headers) {
    if (!headers_parse(message, header_bytes, headers) ||
        (headers->type != kEtherIpv4 && headers->type != kEtherIpv6) ||
        header_bytes < headers->network + kIpv6Header) {
        return false;
    }
    set_length(message, headers, header_bytes);
    return headers_parse(message, header_bytes, headers) && headers->transport &&
           headers->protocol == kTcp &&
           headers->transport + (size_t)(message[headers->transport + kDataOffset] >> 4) * 4 ==
               header_bytes;
}

// Makes the headers of segment `number`, whose data are at `offset`, of those of the message.
static void make_headers(uint8_t* segment, const Headers* headers, uint32_t offset, unsigned number,
                         bool last) {
    uint8_t* ip = segment + headers->network;
    uint8_t* tcp = segment + headers->transport;

    set_length(segment, headers, headers->end);
    if (headers->version == 4) {
        roce_put16(ip + kIpv4Identification,
                   (uint16_t)(roce_get16(ip + kIpv4Identification) + number));
    }
    roce_put32(tcp + kSequence, roce_get32(tcp + kSequence) + offset);
    if (number > 0) {
        tcp[kFlags] &= (uint8_t)~kOnlyFirst;
    }
    if (!last) {
        tcp[kFlags] &= (uint8_t)~kOnlyLast;
    }
}

bool segments_send(uint8_t* message, size_t header_bytes, size_t size, unsigned most,
                   Checksums checksums, FrameSend* send, void* opaque) {
    unsigned number = 0;
    uint8_t* segment;
    Headers headers;

    if (most == 0 || header_bytes > size || header_bytes + most > UINT16_MAX ||
        !parse(message, header_bytes, &headers)) {
        return false;
    }
    segment = g_malloc(header_bytes + most);
    for (size_t at = header_bytes; at < size; at += most) {
        const size_t part = MIN(most, size - at);

        memcpy(segment, message, header_bytes);
        memcpy(segment + header_bytes, message + at, part);
        headers.end = header_bytes + part;
        make_headers(segment, &headers, (uint32_t)(at - header_bytes), number++, at + part == size);
        fill(segment, &headers, checksums);
        send(opaque, segment, header_bytes + part);
    }
    g_free(segment);
    return true;
}
