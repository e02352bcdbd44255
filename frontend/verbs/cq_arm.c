// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: arming completion queues (common/vrdma_doorbell.h). */
#include <linux/delay.h>
#include <linux/sched/signal.h>

#include "core/dev.h"
#include "core/doorbells.h"
#include "verbs/cq.h"

/*
 * The other side is a thread on the host: as for doorbells, x86 needs a lock
 * prefix that is never patched out.
 */
#ifdef CONFIG_X86
#include <asm/sync_bitops.h>
#define vrdma_cmpxchg(ptr, old, new)	sync_cmpxchg(ptr, old, new)
#else
#define vrdma_cmpxchg(ptr, old, new)	cmpxchg(ptr, old, new)
#endif

/* A daemon that is looking at the doorbells takes microseconds; one that slept takes longer. */
#define VRDMA_ARM_SPINS			64
#define VRDMA_ARM_MIN_SLEEP_US		10
#define VRDMA_ARM_MAX_SLEEP_US		1000
/* How often a waiting caller looks whether there is still a device. */
#define VRDMA_ARM_CHECK_INTERVAL	(2 * HZ)

/* Sets @bits in @word and returns what it was. */
static u32 vrdma_arm_or(__le32 *word, u32 bits)
{
	__le32 old = READ_ONCE(*word);
	__le32 seen;

	for (;;) {
		__le32 new = old | cpu_to_le32(bits);

		seen = (__force __le32)vrdma_cmpxchg((__force u32 *)word, (__force u32)old,
						     (__force u32)new);
		if (seen == old)
			return le32_to_cpu(old);
		old = seen;
	}
}

/*
 * Returns true when the RNIC is armed as @watched asks, or was armed and has fired: the device
 * takes @arm away only to send the event.  The device may take it away, and end the watch after
 * one more completion, before anybody has seen the watch.
 */
static bool vrdma_arm_done(const __le32 *word, u32 arm, u32 watched)
{
	u32 value = le32_to_cpu(READ_ONCE(*word));

	return value & watched || !(value & arm);
}

static int vrdma_arm_wait(struct vrdma_dev *dev, const __le32 *word, u32 arm, u32 watched)
{
	unsigned long check = jiffies + VRDMA_ARM_CHECK_INTERVAL;
	unsigned long sleep_us = VRDMA_ARM_MIN_SLEEP_US;
	unsigned int spins;

	for (spins = 0; spins < VRDMA_ARM_SPINS; spins++) {
		if (vrdma_arm_done(word, arm, watched))
			return 0;
		cpu_relax();
	}

	while (!vrdma_arm_done(word, arm, watched)) {
		if (!vrdma_alive(dev))
			return -EIO;
		if (fatal_signal_pending(current))
			return -EINTR;
		if (time_after(jiffies, check)) {
			vrdma_look(dev);
			check = jiffies + VRDMA_ARM_CHECK_INTERVAL;
		}
		usleep_range(sleep_us, 2 * sleep_us);
		sleep_us = min_t(unsigned long, 2 * sleep_us, VRDMA_ARM_MAX_SLEEP_US);
	}

	return 0;
}

/*
 * With VRDMA_F_CQ_DOORBELL, the device arms the RNIC.
 *
 * All changes of the word are atomic, so they have one order, in which our change is before or
 * after each of the device's:
 *  - Our change is before the device looks at the word for a completion that the RNIC has
 *    reported.  The device sees @arm and sends the event.
 *  - Our change is after the device has ended the watch there.  @old says so, and the device
 *    is asked to arm the RNIC again.
 *  - Our change is after the device has taken the arm of an earlier call, to send the event of
 *    that call.  The RNIC was armed again before, and @old still has the watch.
 * So a watch in @old means that the RNIC is armed, or that the device has yet to look at the
 * word for a completion that the RNIC has reported.
 */
static int vrdma_arm_watched(struct vrdma_dev *dev, struct vrdma_cq *cq, bool solicited)
{
	u32 watched = solicited ? VRDMA_CQ_WATCHED_SOLICITED | VRDMA_CQ_WATCHED_NEXT :
				  VRDMA_CQ_WATCHED_NEXT;
	u32 arm = solicited ? VRDMA_CQ_ARM_SOLICITED : VRDMA_CQ_ARM_NEXT;
	__le32 *word = &dev->doorbells->cq_arm[cq->handle];
	int err = 0;
	u32 old;

	old = vrdma_arm_or(word, arm);
	if (!(old & watched)) {
		/* The doorbell has the barrier that lets the device see the arm. */
		vrdma_doorbell_cq(dev, cq->handle);
		err = vrdma_arm_wait(dev, word, arm, watched);
	}

	/*
	 * Pairs with the device's atomic change of the word, which comes after it
	 * has armed the RNIC: what the RNIC completed before that is there for the
	 * caller's next poll, and what it completes from then on is reported.
	 */
	virt_mb();
	return err;
}

/* What the word is, from @old, once the driver has armed. */
static u32 vrdma_armed_word(u32 old, bool solicited)
{
	if (!solicited)
		return VRDMA_CQ_ARM_NEXT;
	/* A solicited arm does not weaken one for any completion (IBTA 1.4, 11.4.2.2). */
	if (old & VRDMA_CQ_ARM_NEXT)
		return old;
	return (old & VRDMA_CQ_MISSED_NEXT) | VRDMA_CQ_ARM_SOLICITED;
}

/*
 * Without VRDMA_F_CQ_DOORBELL, the device looks at the word whenever it completes something.
 * Returns true when completions of the kind came, before this arm, of which no event told.
 */
bool vrdma_cq_arm_polled(struct vrdma_dev *dev, struct vrdma_cq *cq, bool solicited)
{
	u32 missed = solicited ? VRDMA_CQ_MISSED_SOLICITED : VRDMA_CQ_MISSED_NEXT;
	__le32 *word = &dev->doorbells->cq_arm[cq->handle];
	__le32 old = READ_ONCE(*word);
	__le32 seen;

	for (;;) {
		__le32 new = cpu_to_le32(vrdma_armed_word(le32_to_cpu(old), solicited));

		seen = (__force __le32)vrdma_cmpxchg((__force u32 *)word, (__force u32)old,
						     (__force u32)new);
		if (seen == old)
			break;
		old = seen;
	}

	/*
	 * Pairs with the device's barrier between its completion and its look
	 * at the arm: either it sees this, or the caller's next poll that.
	 */
	virt_mb();
	return le32_to_cpu(old) & missed;
}

/* A user's CQ is armed by a system call, which may sleep. */
int vrdma_req_notify_cq(struct ib_cq *ibcq, enum ib_cq_notify_flags flags)
{
	bool solicited = (flags & IB_CQ_SOLICITED_MASK) == IB_CQ_SOLICITED;
	struct vrdma_dev *dev = to_vrdma_dev(ibcq->device);
	struct vrdma_cq *cq = to_vrdma_cq(ibcq);

	might_sleep();
	if (!vrdma_alive(dev))
		return -EIO;

	if (virtio_has_feature(dev->vdev, VRDMA_F_CQ_DOORBELL))
		return vrdma_arm_watched(dev, cq, solicited);

	/*
	 * Programs like UCX sleep once they have armed, without another look at the CQ: adapters
	 * that learn by the arming how far the library has polled send the event at once.
	 */
	if (vrdma_cq_arm_polled(dev, cq, solicited))
		vrdma_doorbell_cq(dev, cq->handle);
	return 0;
}
