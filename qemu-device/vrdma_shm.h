/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shared memory region: one reserved range of host addresses that is the guest's shared
 * memory region.  Mappings come and go inside it and the range itself never
 * changes, so neither QEMU's memory regions nor KVM's slots ever do.
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
 * Maps length bytes of fd from fd_offset at offset of the shared memory region.  Returns 0,
 * or a positive errno: EINVAL for a range outside the shared memory region or the file, or
 * not of whole pages; EEXIST when a mapping is already there; what mmap says.
 */
int vrdma_shm_map(VRdmaShm *shm, uint64_t offset, uint64_t length, int fd,
                     uint64_t fd_offset, bool writable);

/* Undoes one vrdma_shm_map() of exactly this range, or returns ENOENT. */
int vrdma_shm_unmap(VRdmaShm *shm, uint64_t offset, uint64_t length);

/* Undoes all of them. */
void vrdma_shm_reset(VRdmaShm *shm);

#endif
