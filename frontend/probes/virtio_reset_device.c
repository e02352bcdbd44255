// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* Linux 5.17 and later. */
#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/virtio.h>

static_assert(__same_type(virtio_reset_device, void (struct virtio_device *vdev)));
