/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 the vrdma authors */
/*
 * vrdma wire protocol: the memory behind a user pointer in udata (vrdma_udata.h).
 * The driver asks for the range to pin it, the device to see that all of it has come.
 */
#ifndef VRDMA_UDATA_MEMORY_H
#define VRDMA_UDATA_MEMORY_H

#include "vrdma_check.h"

/* The attributes of a command that a length may depend on; 0 for those that it does not have. */
struct vrdma_udata_counts {
	__u32 cqe;
	__u32 max_wr;
	__u32 max_sge;
	__u32 max_send_wr;
};

/* The u32 at `offset` of `udata`, which has `size` bytes. */
static inline int vrdma_udata_u32(const __u8 *udata, __u64 size, __u32 offset, __u64 *value)
{
	if (size < 4 || offset > size - 4)
		return 0;
	*value = (__u64)udata[offset] | (__u64)udata[offset + 1] << 8 |
		 (__u64)udata[offset + 2] << 16 | (__u64)udata[offset + 3] << 24;
	return 1;
}

/* 2 to the power of the u8 at `offset` of `udata`, which has `size` bytes. */
static inline int vrdma_udata_log(const __u8 *udata, __u64 size, __u32 offset, __u64 *value)
{
	if (offset >= size || udata[offset] > 31)
		return 0;
	*value = (__u64)1 << udata[offset];
	return 1;
}

/* Rounds a value of at most 2^33 up to a power of two. */
static inline __u64 vrdma_round_up_pow2(__u64 value)
{
	__u64 power = 1;

	while (power < value)
		power <<= 1;
	return power;
}

/* The count of a term that is there; 0 when it has none. */
static inline int vrdma_udata_term_count(const struct vrdma_udata_term *term, const __u8 *udata,
					 __u64 size, const struct vrdma_udata_counts *counts,
					 __u64 *count)
{
	__u32 offset = VRDMA_LE16(term->count_offset);

	switch (term->count & ~(VRDMA_COUNT_ROUND | VRDMA_COUNT_ROUND_UP)) {
	case VRDMA_COUNT_UDATA:
		if (!vrdma_udata_u32(udata, size, offset, count))
			return 0;
		break;
	case VRDMA_COUNT_UDATA_LOG:
		if (!vrdma_udata_log(udata, size, offset, count))
			return 0;
		break;
	case VRDMA_COUNT_CQE:
		*count = (__u64)counts->cqe + offset;
		break;
	case VRDMA_COUNT_MAX_WR:
		*count = (__u64)counts->max_wr + offset;
		break;
	case VRDMA_COUNT_MAX_SEND_WR:
		*count = (__u64)counts->max_send_wr + offset;
		break;
	default:
		return 0;
	}
	if (term->count & VRDMA_COUNT_ROUND)
		*count = vrdma_round_up_pow2(*count + 1);
	else if ((term->count & VRDMA_COUNT_ROUND_UP) && *count)
		*count = vrdma_round_up_pow2(*count);
	return 1;
}

static inline int vrdma_udata_term_length(const struct vrdma_udata_term *term,
					  const __u8 *udata, __u64 size,
					  const struct vrdma_udata_counts *counts,
					  __u64 *length)
{
	__u64 count, scale;

	*length = 0;
	if (term->count == VRDMA_COUNT_NONE)
		return 1;
	if (!vrdma_udata_term_count(term, udata, size, counts, &count))
		return 0;

	switch (term->scale) {
	case VRDMA_SCALE_CONSTANT:
		scale = VRDMA_LE32(term->scale_a);
		break;
	case VRDMA_SCALE_UDATA:
	case VRDMA_SCALE_UDATA_SHIFT:
		if (!vrdma_udata_u32(udata, size, VRDMA_LE16(term->scale_offset), &scale))
			return 0;
		if (term->scale == VRDMA_SCALE_UDATA)
			break;
		if (scale > 31)
			return 0;
		scale = (__u64)1 << scale;
		break;
	case VRDMA_SCALE_UDATA_LOG:
		if (!vrdma_udata_log(udata, size, VRDMA_LE16(term->scale_offset), &scale))
			return 0;
		break;
	case VRDMA_SCALE_MAX_SGE:
		scale = (__u64)VRDMA_LE32(term->scale_b) * (counts->max_sge ? counts->max_sge : 1);
		if (scale > (__u64)1 << 31)
			return 0;
		scale = vrdma_round_up_pow2(scale + VRDMA_LE32(term->scale_a));
		break;
	default:
		return 0;
	}

	/* Neither factor is above 2^34, but a product above 2^40 is not memory. */
	if (count && scale > ((__u64)1 << 40) / count)
		return 0;
	*length = count * scale;
	return 1;
}

/*
 * The bytes behind `pointer` in `udata`, which has `size` bytes of any content.
 * Returns 0 when there is no such length, as for udata that is too short.
 */
static inline int vrdma_udata_length(const struct vrdma_udata_pointer *pointer,
				     const void *udata, __u64 size,
				     const struct vrdma_udata_counts *counts, __u64 *length)
{
	__u64 sum = VRDMA_LE64(pointer->length), term;
	int i;

	if (sum > (__u64)1 << 40)
		return 0;
	for (i = 0; i < VRDMA_UDATA_TERMS; i++) {
		if (!vrdma_udata_term_length(&pointer->terms[i], (const __u8 *)udata, size,
					     counts, &term))
			return 0;
		sum += term;
	}
	if (VRDMA_LE32(pointer->flags) & VRDMA_UDATA_POINTER_ROUND)
		sum = (sum + VRDMA_SHM_PAGE_SIZE - 1) & ~((__u64)VRDMA_SHM_PAGE_SIZE - 1);
	*length = sum;
	return sum != 0;
}

/*
 * The memory behind `pointer` in `udata`, which has `size` bytes of any content.
 * Returns 1 and the range, 0 when there is no pointer or it is zero, -1 when the range
 * is invalid.
 */
static inline int vrdma_udata_memory(const struct vrdma_udata_pointer *pointer,
				     const void *udata, __u64 size,
				     const struct vrdma_udata_counts *counts, __u64 *start,
				     __u64 *length)
{
	const __u64 page = VRDMA_SHM_PAGE_SIZE;
	__u32 offset = VRDMA_LE16(pointer->offset);
	__u64 low, high, end;

	if (!vrdma_udata_u32((const __u8 *)udata, size, offset, &low) ||
	    !vrdma_udata_u32((const __u8 *)udata, size, offset + 4, &high))
		return 0;
	*start = high << 32 | low;
	if (!*start)
		return 0;

	if (!vrdma_udata_length(pointer, udata, size, counts, length) ||
	    !vrdma_range_valid(*start, *length))
		return -1;
	if (VRDMA_LE32(pointer->flags) & VRDMA_UDATA_POINTER_PAGES) {
		/* The last page of all would end at 2^64. */
		end = *start + *length - 1;
		if (end > ~page)
			return -1;
		*start &= ~(page - 1);
		*length = (end & ~(page - 1)) + page - *start;
	}
	return 1;
}

#endif /* VRDMA_UDATA_MEMORY_H */
