// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/*
 * A driver that attacks its vrdma device: commands that are garbage or nearly right, virtqueues
 * that are overwritten while the device reads them, descriptors that loop or point anywhere,
 * doorbells of all handles, and buffers that nobody takes back.  Loading the module is the attack,
 * unloading it resets the device.  What the device writes goes into this module's own pages.
 */
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "core/compat.h"
#include "vrdma_check.h"
#include "vrdma_doorbell.h"

#define HOSTILE_ORDER	6			/* of the pages that the device may write */
#define HOSTILE_BYTES	(PAGE_SIZE << HOSTILE_ORDER)
#define HOSTILE_VECTORS	4U			/* at most */
#define HOSTILE_QUEUES	(VRDMA_VQ_COMPLETION + HOSTILE_VECTORS)
#define HOSTILE_LOOKS	200			/* for an answer, before the next attack */

static ulong seed = 1;
module_param(seed, ulong, 0444);
MODULE_PARM_DESC(seed, "What the attacks' choices come from");

static uint steps = 20000;
module_param(steps, uint, 0444);
MODULE_PARM_DESC(steps, "The number of attacks");

struct hostile {
	struct virtio_device *vdev;
	struct virtqueue *vqs[HOSTILE_QUEUES];
	u32 queues;
	struct rnd_state random;
	struct virtio_shm_region shm;
	u8 *pages;
	void *bar;			/* all of the shared memory region */
	u64 doorbells;			/* their offset in it, or U64_MAX */
	u32 handles[16];		/* what the device has answered last */
	u64 answers;
};

/* The sizes of a command's request and response. */
static const struct {
	u16 opcode;
	u16 request;
	u16 response;
} hostile_shapes[] = {
#define HOSTILE_SHAPE(NAME, name, opcode, request, response, feature, flags) \
	{ VRDMA_CMD_##NAME, sizeof(struct request), sizeof(struct response) },
	VRDMA_COMMANDS(HOSTILE_SHAPE)
#undef HOSTILE_SHAPE
};

static u32 hostile_random(struct hostile *h)
{
	return prandom_u32_state(&h->random);
}

static u32 hostile_below(struct hostile *h, u32 count)
{
	return hostile_random(h) % count;
}

/* A number at a limit, a handle that was answered, or any number. */
static u32 hostile_odd(struct hostile *h)
{
	static const u32 odd[] = {
		0, 0, 1, 1, 2, 3, 8, 64, 255, 4096, 65535, 65536, 0x7fffffff, 0x80000000,
		0xfffffffe, 0xffffffff,
	};

	switch (hostile_below(h, 4)) {
	case 0:
		return hostile_random(h);
	case 1:
		return odd[hostile_below(h, ARRAY_SIZE(odd))];
	default:
		return h->handles[hostile_below(h, ARRAY_SIZE(h->handles))];
	}
}

/* Guest-physical: in the pages that the device may write, or where there is no memory. */
static u64 hostile_address(struct hostile *h)
{
	if (hostile_below(h, 4))
		return virt_to_phys(h->pages) + hostile_below(h, HOSTILE_BYTES - 64);
	return (u64)hostile_random(h) << 32 | 1ULL << 63 | hostile_random(h);
}

static u8 *hostile_slot(struct hostile *h, u32 room)
{
	return h->pages + hostile_below(h, (HOSTILE_BYTES - room) / 64) * 64;
}

/* A request of the right length with fields without sense, and runs in these pages. */
static u32 hostile_fill(struct hostile *h, u8 *request, u32 *response)
{
	u32 i, length, word, runs = hostile_below(h, 4);
	u32 shape = hostile_below(h, ARRAY_SIZE(hostile_shapes));
	struct vrdma_cmd_hdr *hdr = (struct vrdma_cmd_hdr *)request;
	struct vrdma_run *run;

	/* The way to objects is taken more often than chance would. */
	if (!hostile_below(h, 3))
		shape = hostile_below(h, 16);
	length = hostile_shapes[shape].request;
	for (i = 0; i < length; i += 4) {
		word = hostile_odd(h);
		memcpy(request + i, &word, min(4U, length - i));
	}
	hdr->opcode = cpu_to_le16(hostile_shapes[shape].opcode);
	hdr->region_count = cpu_to_le16(hostile_below(h, 32) ? 0 : hostile_below(h, 5));
	hdr->length = cpu_to_le32(length);
	hdr->uctx = cpu_to_le32(hostile_below(h, 4));
	hdr->udata_in_len = cpu_to_le16(hostile_below(h, 8) ? 0 : hostile_below(h, 64));
	hdr->udata_out_len = cpu_to_le16(64);
	*response = hostile_shapes[shape].response + 64;

	if (hdr->opcode == cpu_to_le16(VRDMA_CMD_REG_MR)) {
		struct vrdma_cmd_reg_mr *reg = (struct vrdma_cmd_reg_mr *)request;

		reg->access = cpu_to_le32(0xf);
		reg->run_count = cpu_to_le32(runs);
		reg->length = cpu_to_le64((u64)runs * PAGE_SIZE);
	}
	run = (struct vrdma_run *)(request + length);
	for (i = 0; i < runs; i++) {
		run[i].gpa = cpu_to_le64(hostile_address(h) & PAGE_MASK);
		run[i].length = cpu_to_le64(hostile_below(h, 8) ? PAGE_SIZE : hostile_odd(h));
	}
	return length + runs * sizeof(*run);
}

static void hostile_learn(struct hostile *h, const u8 *reply, u32 used)
{
	const struct vrdma_rsp_handle *rsp = (const struct vrdma_rsp_handle *)reply;

	h->answers++;
	if (used >= sizeof(*rsp) && !rsp->hdr.status)
		h->handles[hostile_below(h, ARRAY_SIZE(h->handles))] = le32_to_cpu(rsp->handle);
}

/* Takes answers back, as long as there are some.  Not every attack does. */
static void hostile_drain(struct hostile *h, struct virtqueue *vq)
{
	unsigned int used;
	void *reply;

	while ((reply = virtqueue_get_buf(vq, &used)))
		hostile_learn(h, reply, used);
}

/* Returns -ENOSPC when the queue is full. */
static int hostile_submit(struct hostile *h, u8 *request, u32 length, u8 *reply, u32 room)
{
	struct scatterlist out, in, *sgs[2] = { &out, &in };
	int err;

	sg_init_one(&out, request, length);
	sg_init_one(&in, reply, room);
	err = virtqueue_add_sgs(h->vqs[VRDMA_VQ_CONTROL], sgs, 1, 1, reply, GFP_KERNEL);
	virtqueue_kick(h->vqs[VRDMA_VQ_CONTROL]);
	return err;
}

static void hostile_command(struct hostile *h)
{
	u8 *request = hostile_slot(h, 1024), *reply = hostile_slot(h, 1024);
	u32 length, room, looks;
	u64 answers;

	length = hostile_fill(h, request, &room);
	if (!hostile_below(h, 16)) {
		length = 1 + hostile_below(h, 512);
		prandom_bytes_state(&h->random, request, length);
	}
	if (!hostile_below(h, 16))
		room = 1 + hostile_below(h, 64);
	if (hostile_submit(h, request, length, reply, room) || !hostile_below(h, 4))
		return;		/* nobody waits for this answer */

	answers = h->answers;
	for (looks = 0; looks < HOSTILE_LOOKS && h->answers == answers; looks++) {
		usleep_range(10, 50);
		hostile_drain(h, h->vqs[VRDMA_VQ_CONTROL]);
	}
}

/* Chains as long as the queue has room for, which the device may write, or may not. */
static void hostile_flood(struct hostile *h)
{
	struct virtqueue *vq = h->vqs[VRDMA_VQ_EVENT + hostile_below(h, h->queues - 1)];
	u32 count, i;
	struct scatterlist *sg;

	count = 1 + hostile_below(h, virtqueue_get_vring_size(vq));
	sg = kmalloc_array(count, sizeof(*sg), GFP_KERNEL);
	if (!sg)
		return;

	sg_init_table(sg, count);
	for (i = 0; i < count; i++)
		sg_set_buf(&sg[i], hostile_slot(h, 64), 1 + hostile_below(h, 16));
	if (hostile_below(h, 4))
		virtqueue_add_inbuf(vq, sg, count, h->pages, GFP_KERNEL);
	else
		virtqueue_add_outbuf(vq, sg, count, h->pages, GFP_KERNEL);
	virtqueue_kick(vq);
	kfree(sg);
}

/* Overwrites descriptors and what is available, whatever the device reads of it just now. */
static void hostile_spoil(struct hostile *h)
{
	struct virtqueue *vq = h->vqs[hostile_below(h, h->queues)];
	u32 size = virtqueue_get_vring_size(vq), count = 1 + hostile_below(h, 32), at;
	struct vring_desc *table = phys_to_virt(virtqueue_get_desc_addr(vq));
	__virtio16 *avail = phys_to_virt(virtqueue_get_avail_addr(vq));

	while (count--) {
		at = hostile_below(h, size);
		switch (hostile_below(h, 5)) {
		case 0:
			WRITE_ONCE(table[at].addr, cpu_to_virtio64(h->vdev, hostile_address(h)));
			break;
		case 1:
			WRITE_ONCE(table[at].len, cpu_to_virtio32(h->vdev, hostile_below(h, 64)));
			break;
		case 2:
			WRITE_ONCE(table[at].flags, cpu_to_virtio16(h->vdev, hostile_below(h, 4)));
			break;
		case 3:
			WRITE_ONCE(table[at].next,
				   cpu_to_virtio16(h->vdev, hostile_below(h, 2 * size)));
			break;
		default:
			WRITE_ONCE(avail[hostile_below(h, 2 + size)],
				   cpu_to_virtio16(h->vdev, hostile_below(h, 2 * size)));
		}
	}
	virtqueue_kick(vq);
	virtqueue_notify(vq);
}

static void hostile_map_doorbells(struct hostile *h)
{
	struct vrdma_rsp_map_doorbells *rsp = (struct vrdma_rsp_map_doorbells *)h->pages;
	struct vrdma_cmd_empty *cmd = (struct vrdma_cmd_empty *)(h->pages + 1024);
	u32 looks, used;

	memset(h->pages, 0xff, 2048);
	memset(cmd, 0, sizeof(*cmd));
	cmd->hdr.opcode = cpu_to_le16(VRDMA_CMD_MAP_DOORBELLS);
	cmd->hdr.length = cpu_to_le32(sizeof(*cmd));
	cmd->hdr.uctx = cpu_to_le32(VRDMA_NO_HANDLE);
	h->doorbells = U64_MAX;
	if (hostile_submit(h, (u8 *)cmd, sizeof(*cmd), (u8 *)rsp, sizeof(*rsp)))
		return;
	for (looks = 0; looks < 100000; looks++) {
		if (virtqueue_get_buf(h->vqs[VRDMA_VQ_CONTROL], &used))
			break;
		usleep_range(10, 50);
	}
	if (!rsp->hdr.status &&
	    le64_to_cpu(rsp->shm_offset) <= h->shm.len - sizeof(struct vrdma_doorbell_area))
		h->doorbells = le64_to_cpu(rsp->shm_offset);
}

/* Rings everything, or overwrites any words of the doorbells and of mapped rings behind them. */
static void hostile_storm(struct hostile *h)
{
	struct vrdma_doorbell_area *area = h->bar + h->doorbells;
	struct vrdma_doorbell_bitmap *bitmap;
	u32 count = hostile_below(h, 4096), *words = (u32 *)area;
	u64 reach;

	if (h->doorbells == U64_MAX)
		return;

	bitmap = hostile_below(h, 2) ? &area->qp : &area->cq;
	if (hostile_below(h, 2)) {
		memset(bitmap->bits, hostile_below(h, 2) ? 0xff : 0, sizeof(bitmap->bits));
		memset(bitmap->summary, 0xff, sizeof(bitmap->summary));
		WRITE_ONCE(bitmap->root, cpu_to_le64(U64_MAX));
	} else {
		reach = min_t(u64, h->shm.len - h->doorbells, 4 * sizeof(*area));
		while (count--)
			WRITE_ONCE(words[hostile_below(h, reach / 4)], hostile_odd(h));
	}
	virtqueue_notify(h->vqs[VRDMA_VQ_DOORBELL]);
}

static void hostile_attack(struct hostile *h)
{
	u32 i;

	for (i = 0; i < steps; i++) {
		/* The last half spoils the queues' own memory, which ends some of them. */
		switch (hostile_below(h, i < steps / 2 ? 14 : 16)) {
		case 0:
		case 1:
			hostile_storm(h);
			break;
		case 2:
			hostile_flood(h);
			break;
		case 14:
		case 15:
			hostile_spoil(h);
			break;
		default:
			hostile_command(h);
		}
		cond_resched();
	}
}

static int hostile_find_queues(struct hostile *h)
{
	static const char * const names[] = {
		"control", "event", "doorbell", "completion.0", "completion.1", "completion.2",
		"completion.3",
	};
	struct virtqueue_info info[HOSTILE_QUEUES] = {};
	u16 vectors;
	u32 i;

	virtio_cread_le(h->vdev, struct vrdma_config, num_comp_vectors, &vectors);
	h->queues = VRDMA_VQ_COMPLETION + min_t(u32, vectors, HOSTILE_VECTORS);
	for (i = 0; i < h->queues; i++)
		info[i].name = names[i];
	return vrdma_find_vqs(h->vdev, h->queues, h->vqs, info);
}

static void hostile_free(struct hostile *h)
{
	if (h->bar)
		memunmap(h->bar);
	free_pages((unsigned long)h->pages, HOSTILE_ORDER);
	kfree(h);
}

static int hostile_probe(struct virtio_device *vdev)
{
	struct hostile *h;
	int err = -ENOMEM;

	h = kzalloc(sizeof(*h), GFP_KERNEL);
	if (!h)
		return -ENOMEM;

	h->vdev = vdev;
	prandom_seed_state(&h->random, seed);
	h->pages = (u8 *)__get_free_pages(GFP_KERNEL | __GFP_ZERO, HOSTILE_ORDER);
	if (h->pages && virtio_get_shm_region(vdev, &h->shm, VRDMA_SHM_ID))
		h->bar = memremap(h->shm.addr, h->shm.len, MEMREMAP_WB);
	if (!h->bar)
		goto err_free;
	err = hostile_find_queues(h);
	if (err)
		goto err_free;

	vdev->priv = h;
	virtio_device_ready(vdev);
	hostile_map_doorbells(h);
	hostile_attack(h);
	dev_info(&vdev->dev, "seed %lu: %u attacks, %llu answers, doorbells at %#llx\n", seed,
		 steps, h->answers, h->doorbells);
	return 0;

err_free:
	hostile_free(h);
	return err;
}

static void hostile_remove(struct virtio_device *vdev)
{
	struct hostile *h = vdev->priv;

	virtio_reset_device(vdev);
	vdev->config->del_vqs(vdev);
	hostile_free(h);
}

static const struct virtio_device_id hostile_ids[] = {
	{ VRDMA_VIRTIO_ID, VIRTIO_DEV_ANY_ID },
	{ 0 },
};

static const unsigned int hostile_features[] = {
#define HOSTILE_FEATURE(name, bit, attribute)	name,
	VRDMA_FEATURES(HOSTILE_FEATURE)
#undef HOSTILE_FEATURE
};

static struct virtio_driver hostile_driver = {
	.driver.name = KBUILD_MODNAME,
	.driver.owner = THIS_MODULE,
	.feature_table = hostile_features,
	.feature_table_size = ARRAY_SIZE(hostile_features),
	.id_table = hostile_ids,
	.probe = hostile_probe,
	.remove = hostile_remove,
};
module_virtio_driver(hostile_driver);

MODULE_DESCRIPTION("Attacks a vrdma device (a test)");
MODULE_LICENSE("GPL");
