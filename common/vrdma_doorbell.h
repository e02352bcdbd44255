/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 the vrdma authors */
/*
 * vrdma wire protocol: the doorbell area, one per device, in the shared memory region.
 *
 * A doorbell is a bit in a three-level bitmap.  To ring handle h the driver
 * sets, in this order and each with an atomic read-modify-write,
 *	bits[h / 64] bit h % 64,  summary[h / 4096] bit (h / 64) % 64,
 *	root bit h / 4096,
 * then executes a full barrier and reads `polling`; when that is zero it
 * notifies doorbellq.  The device takes the bits with atomic exchanges from the
 * root down.  Before the device stops looking it clears `polling`, executes a full
 * barrier and looks at the roots once more.
 */
#ifndef VRDMA_DOORBELL_H
#define VRDMA_DOORBELL_H

#include <linux/types.h>

#define VRDMA_DB_MAX_HANDLES		65536
#define VRDMA_DB_BITS_PER_WORD		64
#define VRDMA_DB_WORDS		(VRDMA_DB_MAX_HANDLES / VRDMA_DB_BITS_PER_WORD)
#define VRDMA_DB_SUMMARY_WORDS	(VRDMA_DB_WORDS / VRDMA_DB_BITS_PER_WORD)

struct vrdma_doorbell_bitmap {
	__le64 root;			/* bit i: summary[i] may be non-zero */
	__le64 pad[7];
	__le64 summary[VRDMA_DB_SUMMARY_WORDS];
	__le64 bits[VRDMA_DB_WORDS];
};

/* Values of cq_arm[], as of ibv_req_notify_cq (IBTA 1.4, 11.4.2.2). */
#define VRDMA_CQ_NOT_ARMED		0
#define VRDMA_CQ_ARM_SOLICITED		1
#define VRDMA_CQ_ARM_NEXT		2

/*
 * With VRDMA_F_CQ_DOORBELL the device has to tell the RNIC of an arming.  A
 * completion could slip by in the meantime.  The word therefore has two more bits,
 * which the device sets and clears:
 *
 *	VRDMA_CQ_WATCHED_*	the RNIC itself is armed, for that kind
 *
 * All changes of the word are atomic read-modify-writes.
 *
 * The driver arms by OR-ing VRDMA_CQ_ARM_* in.  When the watched bit of that kind, or
 * VRDMA_CQ_WATCHED_NEXT, was set already, that is all.  Otherwise the driver rings the
 * CQ's doorbell and returns only when it sees one of these bits, or its own arm gone:
 * then the event is on its way.
 *
 * When the doorbell rings for an arm that is still there, the device arms the RNIC for
 * that kind and then sets the watched bit.
 *
 * When the RNIC reports a completion and the driver has armed, the device arms the RNIC
 * again, for the strongest kind that is armed or watched, then clears VRDMA_CQ_ARM_* and
 * sends the event.  The order matters: the poll that follows the driver's next arming
 * sees what completes before the bits are cleared, and the RNIC reports what completes
 * later.  When the driver has not armed, the device clears VRDMA_CQ_WATCHED_*, by a
 * compare-and-exchange, and leaves the RNIC alone.
 *
 * The driver stores 0 in the word of a CQ that it has created.
 */
#define VRDMA_CQ_WATCHED_SOLICITED	4
#define VRDMA_CQ_WATCHED_NEXT		8

/*
 * Without VRDMA_F_CQ_DOORBELL the device keeps in mind what came while nobody had armed for
 * it:
 *
 *	VRDMA_CQ_MISSED_*	a completion of that kind, for which no event was sent
 *
 * A driver that arms for a kind, and takes its bit away by that, rings the CQ's doorbell.
 * The device then sends the event at once if completions wait in the CQ, as adapters do that
 * learn by an arming how far the library has polled.
 */
#define VRDMA_CQ_MISSED_NEXT		16
#define VRDMA_CQ_MISSED_SOLICITED	32

struct vrdma_doorbell_area {
	__le32 polling;			/* written by the device; non-zero: do not notify */
	__le32 pad[15];
	struct vrdma_doorbell_bitmap qp;	/* send queues with new work requests */
	struct vrdma_doorbell_bitmap cq;	/* newly armed CQs, all or those with a miss */
	/*
	 * Armed state by CQ handle.  Without VRDMA_F_CQ_DOORBELL: the driver
	 * arms, then executes a full barrier; the device, after publishing a
	 * completion and a full barrier, takes the arm away and sends the event, or
	 * sets VRDMA_CQ_MISSED_*.
	 */
	__le32 cq_arm[VRDMA_DB_MAX_HANDLES];
};

#endif /* VRDMA_DOORBELL_H */
