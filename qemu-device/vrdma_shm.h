/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The window: one reserved range of host addresses that is the guest's shared
 * memory region.  Mappings come and go inside it and the range itself never
 * changes, so neither QEMU's memory regions nor KVM's slots ever do.
 *
 * All functions may be called from any thread.
 */
#ifndef VRDMA_WINDOW_H
#define VRDMA_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

typedef struct VRdmaWindow VRdmaWindow;

/* Reserves size bytes (a multiple of the page size); NULL with errno on failure. */
VRdmaWindow *vrdma_window_new(uint64_t size);
void vrdma_window_free(VRdmaWindow *window);

/* Where the range starts; constant. */
void *vrdma_window_base(const VRdmaWindow *window);

/*
 * Maps length bytes of fd from fd_offset at offset of the window.  Returns 0,
 * or a positive errno: EINVAL for a range outside the window or the file, or
 * not of whole pages; EEXIST when a mapping is already there; what mmap says.
 */
int vrdma_window_map(VRdmaWindow *window, uint64_t offset, uint64_t length, int fd,
                     uint64_t fd_offset, bool writable);

/* Undoes one vrdma_window_map() of exactly this range, or returns ENOENT. */
int vrdma_window_unmap(VRdmaWindow *window, uint64_t offset, uint64_t length);

/* Undoes all of them. */
void vrdma_window_reset(VRdmaWindow *window);

#endif
