/* SPDX-License-Identifier: GPL-2.0 */
/* vrdma guest driver: user contexts, and their mappings of the RNIC. */
#ifndef VRDMA_VERBS_UCONTEXT_H
#define VRDMA_VERBS_UCONTEXT_H

#include <rdma/ib_verbs.h>

struct vrdma_ucontext {
	struct ib_ucontext ibuctx;
	u32 handle;
};

static inline struct vrdma_ucontext *to_vrdma_ucontext(struct ib_ucontext *ibuctx)
{
	return container_of(ibuctx, struct vrdma_ucontext, ibuctx);
}

int vrdma_alloc_ucontext(struct ib_ucontext *ibuctx, struct ib_udata *udata);
void vrdma_dealloc_ucontext(struct ib_ucontext *ibuctx);
void vrdma_disassociate_ucontext(struct ib_ucontext *ibuctx);
int vrdma_mmap(struct ib_ucontext *ibuctx, struct vm_area_struct *vma);
void vrdma_mmap_free(struct rdma_user_mmap_entry *rdma_entry);

#endif /* VRDMA_VERBS_UCONTEXT_H */
