/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
#include "ib_frame.h"

#include <string.h>

#include "bytes.h"
#include "icrc.h"

enum {
    ETHERNET_BYTES = 14,
    LRH_BYTES = 8,
    GRH_BYTES = kRoceNetworkHeaderBytes,
    BTH_BYTES = 12,
    VCRC_BYTES = 2,
    /* The second byte of the LRH (IBA 7.7). */
    SERVICE_LEVEL_SHIFT = 4,
    NEXT_HEADER = 3,
    NEXT_IS_BTH = 2,
    NEXT_IS_GRH = 3,
    LENGTH_MASK = 0x7ff, /* in words, up to the invariant CRC */
    GRH_NEXT_BTH = 0x1b, /* IBA 8.3.3 */
    MAC_LOCAL = 0x02,
    MAC_GROUP = 0x01,
};

bool ib_lid_is_unicast(uint16_t lid) {
    return lid != 0 && lid < kIbFirstMulticastLid;
}

bool ib_address_is_valid(const RoceAddress* address) {
    const bool group = address->global && address->dgid[0] == 0xff;

    if (!ib_lid_is_unicast(address->slid) || address->dlid == kIbPermissiveLid) {
        return false;
    }
    return group ? address->dlid >= kIbFirstMulticastLid : ib_lid_is_unicast(address->dlid);
}

static void write_mac(uint16_t lid, uint8_t* out) {
    memset(out, 0, kRoceMacBytes);
    out[0] = ib_lid_is_unicast(lid) ? MAC_LOCAL : MAC_LOCAL | MAC_GROUP;
    roce_put16(out + kRoceMacBytes - 2, lid);
}

size_t ib_frame_build(const RoceAddress* address, const uint8_t* packet, size_t size,
                      uint8_t* frame) {
    const size_t route = LRH_BYTES + (address->global ? GRH_BYTES : 0);
    const size_t covered = route + size + kRoceIcrcBytes; /* by the variant CRC */
    uint8_t *lrh = frame + ETHERNET_BYTES, *end;
    uint32_t crc;
    uint16_t variant;

    if (size > kRoceMaxPacket || size < BTH_BYTES || !ib_address_is_valid(address)) {
        return 0;
    }
    write_mac(address->dlid, frame);
    write_mac(address->slid, frame + kRoceMacBytes);
    roce_put16(frame + ETHERNET_BYTES - 2, kIbEtherType);
    lrh[0] = 0; /* the only virtual lane of data, version 0 */
    lrh[1] = (uint8_t)(address->service_level << SERVICE_LEVEL_SHIFT |
                       (address->global ? NEXT_IS_GRH : NEXT_IS_BTH));
    roce_put16(lrh + 2, address->dlid);
    roce_put16(lrh + 4, (uint16_t)(covered / 4));
    roce_put16(lrh + 6, address->slid);
    if (address->global) {
        RoceAddress whole = *address;

        roce_address_fill_header(&whole, false, (uint32_t)size);
        memcpy(lrh + LRH_BYTES, whole.network_header, GRH_BYTES);
    }
    memcpy(lrh + route, packet, size);
    crc = ib_icrc(lrh, address->global, size);
    end = lrh + route + size;
    for (int i = 0; i < kRoceIcrcBytes; i++) {
        *end++ = (uint8_t)(crc >> 8 * i);
    }
    variant = ib_vcrc(lrh, covered);
    *end++ = (uint8_t)variant;
    *end++ = (uint8_t)(variant >> 8);
    return (size_t)(end - frame);
}

/* `rest` bytes follow the GRH, up to the invariant CRC. */
static bool parse_grh(const uint8_t* grh, size_t rest, RoceAddress* address) {
    if (grh[0] >> 4 != 6 || grh[6] != GRH_NEXT_BTH || roce_get16(grh + 4) != rest) {
        return false;
    }
    address->global = true;
    address->traffic_class = (uint8_t)(roce_get16(grh) >> 4);
    address->flow_label = roce_get32(grh) & 0xfffff;
    address->hop_limit = grh[7];
    memcpy(address->sgid, grh + 8, kRoceGidBytes);
    memcpy(address->dgid, grh + 24, kRoceGidBytes);
    memcpy(address->network_header, grh, GRH_BYTES);
    return true;
}

RoceFrameKind ib_frame_parse(const uint8_t* frame, size_t size, RoceAddress* address,
                             const uint8_t** packet, size_t* packet_size) {
    const uint8_t *lrh = frame + ETHERNET_BYTES, *end;
    size_t covered, route;
    uint16_t variant;
    uint32_t crc;
    bool global;

    if (size < ETHERNET_BYTES || roce_get16(lrh - 2) != kIbEtherType) {
        return kRoceFrameOther;
    }
    size -= ETHERNET_BYTES;
    /* IBA 7.7.2 and 7.7.5: version 0, no raw packets; the port has one virtual lane of data. */
    if (size < LRH_BYTES || lrh[0] != 0 || (lrh[1] & NEXT_HEADER) < NEXT_IS_BTH) {
        return kRoceFrameBad;
    }
    global = (lrh[1] & NEXT_HEADER) == NEXT_IS_GRH;
    route = LRH_BYTES + (global ? GRH_BYTES : 0);
    covered = (size_t)(roce_get16(lrh + 4) & LENGTH_MASK) * 4;
    /* Ethernet may have padded what follows. */
    if (covered < route + BTH_BYTES + kRoceIcrcBytes || covered + VCRC_BYTES > size) {
        return kRoceFrameBad;
    }
    variant = ib_vcrc(lrh, covered);
    end = lrh + covered;
    if (end[0] != (uint8_t)variant || end[1] != (uint8_t)(variant >> 8)) {
        return kRoceFrameBad;
    }
    memset(address, 0, sizeof(*address));
    address->service_level = lrh[1] >> SERVICE_LEVEL_SHIFT;
    address->dlid = roce_get16(lrh + 2);
    address->slid = roce_get16(lrh + 6);
    if ((global && !parse_grh(lrh + LRH_BYTES, covered - route, address)) ||
        !ib_address_is_valid(address)) {
        return kRoceFrameBad;
    }
    *packet = lrh + route;
    *packet_size = covered - route - kRoceIcrcBytes;
    if (*packet_size > kRoceMaxPacket) {
        return kRoceFrameBad;
    }
    crc = ib_icrc(lrh, global, *packet_size);
    for (int i = 0; i < kRoceIcrcBytes; i++) {
        if (*(end - kRoceIcrcBytes + i) != (uint8_t)(crc >> 8 * i)) {
            return kRoceFrameBad;
        }
    }
    return kRoceFrameGood;
}
