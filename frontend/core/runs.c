// SPDX-License-Identifier: GPL-2.0
/* vrdma guest driver: pinned memory as runs of guest-physical addresses. */
#include <rdma/ib_umem.h>

#include "core/cmd.h"

static void vrdma_runs_put(struct vrdma_cmd *cmd, size_t offset, u64 gpa, u64 length)
{
	struct vrdma_run *run = vrdma_cmd_payload(cmd, offset);

	run->gpa = cpu_to_le64(gpa);
	run->length = cpu_to_le64(length);
}

/*
 * The runs that cover exactly the bytes of @umem: counts them, and writes them
 * into the payload of @cmd from @offset if there is one.
 */
u32 vrdma_runs(struct ib_umem *umem, struct vrdma_cmd *cmd, size_t offset)
{
	u64 skip = ib_umem_offset(umem);
	u64 left = umem->length;
	u64 gpa = 0, length = 0;
	struct scatterlist *sg;
	unsigned int i;
	u32 count = 0;

	for_each_sgtable_sg(&umem->sgt_append.sgt, sg, i) {
		u64 start = sg_phys(sg) + skip;
		u64 bytes = min_t(u64, sg->length - skip, left);

		skip = 0;
		left -= bytes;
		if (length && gpa + length == start) {
			length += bytes;
			continue;
		}
		if (length && cmd)
			vrdma_runs_put(cmd, offset + count * sizeof(struct vrdma_run), gpa, length);
		if (length)
			count++;
		gpa = start;
		length = bytes;
	}

	if (cmd)
		vrdma_runs_put(cmd, offset + count * sizeof(struct vrdma_run), gpa, length);
	return count + 1;
}
