/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
#include "queue_pair.h"

uint8_t roce_qp_service(const RoceQp* qp) {
    switch (qp->type) {
        case IBV_QPT_UC:
            return IBV_OPCODE_UC;
        case IBV_QPT_UD:
            return IBV_OPCODE_UD;
        case IBV_QPT_XRC_SEND:
        case IBV_QPT_XRC_RECV:
            return kRoceOpcodeXrc;
        default:
            return IBV_OPCODE_RC;
    }
}

static void free_qp(gpointer data) {
    RoceQp* qp = data;

    roce_multicast_leave_all(qp);
    roce_requester_flush(qp, true);
    roce_responder_flush(qp, true);
    if (qp->queued) {
        g_queue_unlink(&qp->transport->turns, &qp->link);
    }
    g_free(qp);
}

RoceTransport* roce_transport_new(const RoceDeviceOps* ops, void* device, bool ethernet) {
    RoceTransport* transport = g_new0(RoceTransport, 1);

    transport->ops = ops;
    transport->device = device;
    transport->ethernet = ethernet;
    transport->armed = ROCE_NEVER;
    transport->qps = g_hash_table_new_full(NULL, NULL, NULL, free_qp);
    transport->memberships = g_ptr_array_new_with_free_func(g_free);
    g_queue_init(&transport->turns);
    return transport;
}

void roce_transport_free(RoceTransport* transport) {
    g_hash_table_destroy(transport->qps);
    g_ptr_array_free(transport->memberships, TRUE);
    g_free(transport);
}

void roce_transport_set_pkeys(RoceTransport* transport, const uint16_t* pkeys, size_t count) {
    transport->pkey_count = MIN(count, kRoceMaxPkeys);
    memcpy(transport->pkeys, pkeys, transport->pkey_count * sizeof(*pkeys));
}

const RoceCounters* roce_transport_counters(const RoceTransport* transport) {
    return &transport->counters;
}

RoceQp* roce_qp_new(RoceTransport* transport, uint32_t qpn, enum ibv_qp_type type, void* owner) {
    RoceQp* qp;

    if (g_hash_table_contains(transport->qps, GUINT_TO_POINTER(qpn))) {
        return NULL;
    }
    qp = g_new0(RoceQp, 1);
    qp->transport = transport;
    qp->qpn = qpn;
    qp->type = type;
    qp->owner = owner;
    qp->state = IBV_QPS_RESET;
    qp->link.data = qp;
    qp->requester.deadline = ROCE_NEVER;
    g_hash_table_insert(transport->qps, GUINT_TO_POINTER(qpn), qp);
    return qp;
}

void roce_qp_free(RoceQp* qp) {
    g_hash_table_remove(qp->transport->qps, GUINT_TO_POINTER(qp->qpn));
}

RoceQpAttributes* roce_qp_attributes(RoceQp* qp) {
    return &qp->attributes;
}

enum ibv_qp_state roce_qp_state(const RoceQp* qp) {
    return qp->state;
}

uint32_t roce_qp_send_psn(const RoceQp* qp) {
    return qp->requester.psn;
}

uint32_t roce_qp_receive_psn(const RoceQp* qp) {
    return qp->responder.psn;
}

static bool attributes_make_sense(const RoceQp* qp) {
    const RoceQpAttributes* a = &qp->attributes;

    return a->mtu >= 256 && a->mtu <= kRoceMaxPayload && (a->mtu & (a->mtu - 1)) == 0 &&
           a->receive_psn <= kRocePsnMask && a->send_psn <= kRocePsnMask &&
           a->remote_qpn <= kRoceQpnMask && a->source_qpn <= kRoceQpnMask &&
           a->max_reads <= kRoceMaxReads && a->max_reads_served <= kRoceMaxReads &&
           a->min_rnr_timer < 32 && a->timeout < 32 && a->retry_count < 8 && a->rnr_retry < 8;
}

bool roce_qp_set_state(RoceQp* qp, enum ibv_qp_state state) {
    const enum ibv_qp_state before = qp->state;

    switch (state) {
        case IBV_QPS_RESET:
            qp->state = state;
            roce_requester_flush(qp, true);
            roce_responder_flush(qp, true);
            memset(&qp->attributes, 0, sizeof(qp->attributes));
            return true;
        case IBV_QPS_ERR:
            roce_qp_error(qp);
            return true;
        case IBV_QPS_RTR:
            if (!attributes_make_sense(qp)) {
                return false;
            }
            roce_responder_start(qp);
            break;
        case IBV_QPS_RTS:
            if (!attributes_make_sense(qp)) {
                return false;
            }
            if (before == IBV_QPS_RTR) {
                roce_requester_start(qp);
            }
            break;
        case IBV_QPS_SQD:
            qp->requester.drained = false;
            break;
        default:
            break;
    }
    qp->state = state;
    roce_qp_kick(qp);
    return true;
}

void roce_qp_schedule(RoceQp* qp) {
    if (!qp->queued) {
        qp->queued = true;
        g_queue_push_tail_link(&qp->transport->turns, &qp->link);
    }
    qp->transport->ops->wake(qp->transport->device);
}

void roce_qp_kick(RoceQp* qp) {
    if (qp->state == IBV_QPS_RTS || qp->state == IBV_QPS_SQD) {
        roce_qp_schedule(qp);
    }
}

void roce_qp_set_deadline(RoceQp* qp, uint64_t at) {
    RoceTransport* transport = qp->transport;

    qp->requester.deadline = at;
    if (at < transport->armed) {
        transport->armed = at;
        transport->ops->arm(transport->device, at);
    }
}

void roce_qp_event(RoceQp* qp, enum ibv_event_type event) {
    qp->transport->ops->event(qp->transport->device, qp->owner, event);
}

void roce_qp_error(RoceQp* qp) {
    const RoceTransport* transport = qp->transport;

    if (qp->state == IBV_QPS_ERR) {
        return;
    }
    qp->state = IBV_QPS_ERR;
    roce_requester_flush(qp, false);
    roce_responder_flush(qp, false);
    transport->ops->moved(transport->device, qp->owner, IBV_QPS_ERR);
    if (qp->attributes.shared_receive) {
        roce_qp_event(qp, IBV_EVENT_QP_LAST_WQE_REACHED);
    }
}

bool roce_pkey_matches(uint16_t left, uint16_t right) {
    enum { FULL_MEMBER = 0x8000 };

    return (left & ~FULL_MEMBER) == (right & ~FULL_MEMBER) && ((left | right) & FULL_MEMBER);
}

bool roce_ready(const RoceTransport* transport) {
    return transport->ops->ready(transport->device);
}

void roce_send(RoceTransport* transport, const RoceAddress* address, RocePacket* packet) {
    size_t size;

    packet->migrated = true; /* IBA 17.2.8: no alternate path */
    size = roce_packet_finish(packet, transport->packet);
    transport->counters.sent++;
    transport->ops->transmit(transport->device, address, transport->packet, size);
}

void roce_send_connected(RoceQp* qp, RocePacket* packet) {
    packet->opcode |= roce_qp_service(qp);
    packet->pkey = qp->attributes.pkey;
    packet->dest_qpn = qp->attributes.remote_qpn;
    roce_send(qp->transport, &qp->attributes.path, packet);
}

static bool pkey_is_right(const RoceQp* qp, uint16_t pkey) {
    const RoceTransport* transport = qp->transport;

    if (qp->qpn != 1) {
        return roce_pkey_matches(pkey, qp->attributes.pkey);
    }
    for (size_t i = 0; i < transport->pkey_count; i++) {
        if (roce_pkey_matches(pkey, transport->pkeys[i])) {
            return true;
        }
    }
    return false;
}

/* IBA 9.6.1.2.1 and 9.6.1.5, and RoCE v2 annex A17.4.6: a connection's packets come from its other
 * side. */
static bool address_is_right(const RoceQp* qp, const RoceAddress* address) {
    const RoceAddress* path = &qp->attributes.path;

    if (path->global != address->global ||
        (!qp->transport->ethernet && path->dlid != address->slid)) {
        return false;
    }
    return !path->global || (memcmp(path->dgid, address->sgid, kRoceGidBytes) == 0 &&
                             memcmp(path->sgid, address->dgid, kRoceGidBytes) == 0);
}

static bool receives(const RoceQp* qp) {
    return qp->state == IBV_QPS_RTR || qp->state == IBV_QPS_RTS || qp->state == IBV_QPS_SQD ||
           qp->state == IBV_QPS_SQE;
}

static void receive_connected(RoceQp* qp, const RocePacket* packet, unsigned parts) {
    if (parts & kRoceResponse) {
        if (qp->type != IBV_QPT_XRC_RECV && qp->state != IBV_QPS_RTR) {
            roce_requester_receive(qp, packet);
        }
        return;
    }
    if (qp->type == IBV_QPT_XRC_SEND) {
        return;
    }
    if (!qp->responder.established && qp->state == IBV_QPS_RTR) {
        qp->responder.established = true;
        roce_qp_event(qp, IBV_EVENT_COMM_EST);
    }
    roce_responder_receive(qp, packet);
}

void roce_receive(RoceTransport* transport, const RoceAddress* address, const uint8_t* bytes,
                  size_t size) {
    RoceCounters* counters = &transport->counters;
    RocePacket packet;
    unsigned parts;
    RoceQp* qp;

    counters->received++;
    if (!roce_packet_parse(bytes, size, &packet)) {
        counters->malformed++;
        return;
    }
    parts = roce_opcode_parts(packet.opcode);
    if (packet.dest_qpn == kRoceMulticastQpn) {
        if (parts & kRoceDeth) {
            roce_multicast_deliver(transport, address, &packet);
        }
        return;
    }
    qp = g_hash_table_lookup(transport->qps, GUINT_TO_POINTER(packet.dest_qpn));
    if (!qp || !receives(qp) || roce_qp_service(qp) != (packet.opcode & kRoceServiceMask)) {
        counters->no_queue_pair++;
        return;
    }
    if (!pkey_is_right(qp, packet.pkey)) {
        counters->bad_pkey++;
        return;
    }
    if (roce_is_datagram(qp)) {
        roce_datagram_receive(qp, address, &packet);
    } else if (address_is_right(qp, address)) {
        receive_connected(qp, &packet, parts);
    } else {
        counters->wrong_address++;
    }
}

static void expire(RoceTransport* transport) {
    const uint64_t now = transport->ops->now(transport->device);
    uint64_t next = ROCE_NEVER;
    GHashTableIter all;
    gpointer value;

    if (now < transport->armed) {
        return;
    }
    transport->armed = ROCE_NEVER;
    g_hash_table_iter_init(&all, transport->qps);
    while (g_hash_table_iter_next(&all, NULL, &value)) {
        RoceQp* qp = value;

        if (qp->requester.deadline <= now) {
            qp->requester.deadline = ROCE_NEVER;
            roce_requester_expire(qp);
        }
        next = MIN(next, qp->requester.deadline);
    }
    if (next < transport->armed) {
        transport->armed = next;
        transport->ops->arm(transport->device, next);
    }
}

/* One turn.  Returns the budget that is left. */
static unsigned turn(RoceQp* qp, unsigned budget) {
    const unsigned begin = MIN(budget, kRoceTurn);
    unsigned left = begin;

    if (roce_is_datagram(qp)) {
        left = roce_datagram_run(qp, left);
    } else {
        left = roce_answers_run(qp, left);
        left = roce_requester_run(qp, left);
    }
    if (left == 0 || !roce_ready(qp->transport)) {
        roce_qp_schedule(qp);
    }
    return budget - (begin - left);
}

void roce_run(RoceTransport* transport) {
    unsigned budget = kRoceRun, turns;
    GList* link;

    expire(transport);
    /* A turn that sends nothing counts as well: the queue may be as long as there are pairs. */
    for (turns = 0; budget && turns < kRoceRun && roce_ready(transport); turns++) {
        link = g_queue_pop_head_link(&transport->turns);
        if (!link) {
            return;
        }
        ((RoceQp*)link->data)->queued = false;
        budget = turn(link->data, budget);
    }
    if (!g_queue_is_empty(&transport->turns) && roce_ready(transport)) {
        transport->ops->wake(transport->device);
    }
}
