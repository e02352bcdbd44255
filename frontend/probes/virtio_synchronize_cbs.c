// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* Linux 5.19 and later. */
#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/virtio_config.h>

static_assert(__same_type(virtio_synchronize_cbs, void (struct virtio_device *vdev)));
