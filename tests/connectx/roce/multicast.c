/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/* Groups of datagram queue pairs (IBA 10.5.1). */
#include "queue_pair.h"

typedef struct Membership {
    uint8_t gid[kRoceGidBytes];
    RoceQp* qp;
} Membership;

static bool find(const RoceQp* qp, const uint8_t gid[kRoceGidBytes], guint* index) {
    const GPtrArray* all = qp->transport->memberships;

    for (*index = 0; *index < all->len; ++*index) {
        const Membership* membership = g_ptr_array_index(all, *index);

        if (membership->qp == qp && memcmp(membership->gid, gid, kRoceGidBytes) == 0) {
            return true;
        }
    }
    return false;
}

bool roce_multicast_attach(RoceQp* qp, const uint8_t gid[kRoceGidBytes]) {
    Membership* membership;
    guint index;

    if (find(qp, gid, &index)) {
        return false;
    }
    membership = g_new(Membership, 1);
    memcpy(membership->gid, gid, kRoceGidBytes);
    membership->qp = qp;
    g_ptr_array_add(qp->transport->memberships, membership);
    return true;
}

bool roce_multicast_detach(RoceQp* qp, const uint8_t gid[kRoceGidBytes]) {
    guint index;

    if (!find(qp, gid, &index)) {
        return false;
    }
    g_ptr_array_remove_index_fast(qp->transport->memberships, index);
    return true;
}

void roce_multicast_leave_all(RoceQp* qp) {
    GPtrArray* all = qp->transport->memberships;

    for (guint index = all->len; index-- > 0;) {
        if (((Membership*)g_ptr_array_index(all, index))->qp == qp) {
            g_ptr_array_remove_index_fast(all, index);
        }
    }
}

void roce_multicast_deliver(RoceTransport* transport, const RoceAddress* address,
                            const RocePacket* packet) {
    const GPtrArray* all = transport->memberships;

    if (!address->global) {
        return;
    }
    for (guint index = 0; index < all->len; index++) {
        const Membership* membership = g_ptr_array_index(all, index);
        RoceQp* qp = membership->qp;

        if (roce_is_datagram(qp) && (qp->state == IBV_QPS_RTR || qp->state == IBV_QPS_RTS) &&
            roce_pkey_matches(packet->pkey, qp->attributes.pkey) &&
            memcmp(membership->gid, address->dgid, kRoceGidBytes) == 0) {
            roce_datagram_receive(qp, address, packet);
        }
    }
}
