// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* virtio_find_vqs() takes an array of structures (Linux 6.11). */
#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/virtio_config.h>

static_assert(sizeof(struct virtqueue_info));
