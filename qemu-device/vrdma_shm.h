/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/*
 * The guest's shared memory region (virtio 1.2, 2.10): one reserved range of host
 * addresses.  Mappings come and go inside it and the range itself never changes,
 * so neither QEMU's memory regions nor KVM's slots ever do.
 *
 * All functions may be called from any thread.
 */
#ifndef VRDMA_SHM_H
#define VRDMA_SHM_H

#include <stdbool.h>
#include <stdint.h>

typedef struct VRdmaShm VRdmaShm;

/* Reserves size bytes (a multiple of the page size); NULL with errno on failure. */
VRdmaShm *vrdma_shm_new(uint64_t size);
void vrdma_shm_free(VRdmaShm *shm);

/* Where the range starts; constant. */
void *vrdma_shm_base(const VRdmaShm *shm);

/*
 * Maps length bytes of fd, from fd_offset on, at offset of the shared memory region.
 * Returns 0 or a positive errno: EINVAL for a range outside the region or the file,
 * or not of whole pages; EEXIST when a mapping is already there; mmap's own.
 */
int vrdma_shm_map(VRdmaShm *shm, uint64_t offset, uint64_t length, int fd,
                  uint64_t fd_offset, bool writable);

/* Undoes one vrdma_shm_map() of exactly this range, or returns ENOENT. */
int vrdma_shm_unmap(VRdmaShm *shm, uint64_t offset, uint64_t length);

/* Undoes all mappings. */
void vrdma_shm_reset(VRdmaShm *shm);

#endif
