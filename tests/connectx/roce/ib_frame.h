/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/*
 * Packets of InfiniBand in frames of Ethernet: local route header (LRH), global route header (GRH)
 * if there is one, a packet, the invariant and the variant CRC (IBA 7.7, 8.3, 7.8).  No standard
 * has such frames; both ends are models.
 */
#ifndef ROCE_IB_FRAME_H
#define ROCE_IB_FRAME_H

#include "roce_frame.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    kIbEtherType = 0x88b5,         /* IEEE Std 802, table of EtherTypes: local experimental 1 */
    kIbFirstMulticastLid = 0xc000, /* IBA 4.1.3: below it, and not 0, are the LIDs of ports */
    kIbPermissiveLid = 0xffff,
    kIbMaxFrame = 14 + 8 + 40 + kRoceMaxPacket + 4 + 2,
};

/* Whether the LID is one that a port may have. */
bool ib_lid_is_unicast(uint16_t lid);

/*
 * Whether a packet may go so: from a port's LID, to a port's with a port's GID, or to a multicast
 * LID with a GRH whose GID is a group's (IBA 9.6.1.2).
 */
bool ib_address_is_valid(const RoceAddress* address);

/*
 * Writes the frame that carries the packet of `size` bytes (from roce_packet_finish()) from
 * `address->slid` to `address->dlid`, with a GRH if `address->global`.  The MAC addresses are made
 * of the LIDs, so that a switch of Ethernet learns them.  `frame` has room for kIbMaxFrame.
 * Returns the frame's size, 0 when the packet is too large or the address is not valid.
 */
size_t ib_frame_build(const RoceAddress* address, const uint8_t* packet, size_t size,
                      uint8_t* frame);

/* As roce_frame_parse().  kRoceFrameOther is every frame of another EtherType. */
RoceFrameKind ib_frame_parse(const uint8_t* frame, size_t size, RoceAddress* address,
                             const uint8_t** packet, size_t* packet_size);

#ifdef __cplusplus
}
#endif

#endif
