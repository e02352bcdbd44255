/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 the vrdma authors */
/*
 * vrdma wire protocol: the size of every structure, asserted, and the check whether a
 * received structure is valid.  A check looks at a private copy, never at memory that
 * the sender can still write, and judges the message by itself.  Whether a handle
 * exists is for the receiver to find out.
 */
#ifndef VRDMA_CHECK_H
#define VRDMA_CHECK_H

#include "vrdma_protocol.h"
#include "vrdma_commands.h"
#include "vrdma_doorbell.h"
#include "vrdma_iw_cm.h"
#include "vrdma_kernel.h"
#include "vrdma_ucma.h"
#include "vrdma_udata.h"

#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <asm/byteorder.h>
#define VRDMA_LE16(x)	le16_to_cpu(x)
#define VRDMA_LE32(x)	le32_to_cpu(x)
#define VRDMA_LE64(x)	le64_to_cpu(x)
#else
#include <assert.h>
#include <endian.h>
#define VRDMA_LE16(x)	le16toh(x)
#define VRDMA_LE32(x)	le32toh(x)
#define VRDMA_LE64(x)	le64toh(x)
#endif

#define VRDMA_ASSERT_SIZE(type, size) \
	static_assert(sizeof(struct type) == (size), "size of " #type)

VRDMA_ASSERT_SIZE(vrdma_config, 64);
VRDMA_ASSERT_SIZE(vrdma_cmd_hdr, 16);
VRDMA_ASSERT_SIZE(vrdma_rsp_hdr, 16);
VRDMA_ASSERT_SIZE(vrdma_event, 8);
VRDMA_ASSERT_SIZE(vrdma_completion_event, 8);
VRDMA_ASSERT_SIZE(vrdma_cmd_empty, 16);
VRDMA_ASSERT_SIZE(vrdma_cmd_handle, 24);
VRDMA_ASSERT_SIZE(vrdma_rsp_empty, 16);
VRDMA_ASSERT_SIZE(vrdma_rsp_handle, 24);
VRDMA_ASSERT_SIZE(vrdma_rsp_query_device, 160);
VRDMA_ASSERT_SIZE(vrdma_cmd_query_port, 24);
VRDMA_ASSERT_SIZE(vrdma_rsp_query_port, 48);
VRDMA_ASSERT_SIZE(vrdma_rsp_query_counters, 272);
VRDMA_ASSERT_SIZE(vrdma_rsp_query_ib_port, 32);
VRDMA_ASSERT_SIZE(vrdma_cmd_query_table, 24);
VRDMA_ASSERT_SIZE(vrdma_rsp_query_gid, 32);
VRDMA_ASSERT_SIZE(vrdma_rsp_query_pkey, 24);
VRDMA_ASSERT_SIZE(vrdma_cmd_gid, 56);
VRDMA_ASSERT_SIZE(vrdma_rsp_map_doorbells, 32);
VRDMA_ASSERT_SIZE(vrdma_cmd_mmap, 32);
VRDMA_ASSERT_SIZE(vrdma_rsp_mmap, 32);
VRDMA_ASSERT_SIZE(vrdma_cmd_munmap, 32);
VRDMA_ASSERT_SIZE(vrdma_run, 16);
VRDMA_ASSERT_SIZE(vrdma_cmd_reg_mr, 56);
VRDMA_ASSERT_SIZE(vrdma_rsp_reg_mr, 32);
VRDMA_ASSERT_SIZE(vrdma_cmd_get_dma_mr, 32);
VRDMA_ASSERT_SIZE(vrdma_cmd_alloc_mr, 32);
VRDMA_ASSERT_SIZE(vrdma_fast_reg, 24);
VRDMA_ASSERT_SIZE(vrdma_wr_reg, 16);
VRDMA_ASSERT_SIZE(vrdma_cmd_rereg_mr, 64);
VRDMA_ASSERT_SIZE(vrdma_cmd_alloc_mw, 24);
VRDMA_ASSERT_SIZE(vrdma_rsp_alloc_mw, 24);
VRDMA_ASSERT_SIZE(vrdma_cmd_create_cq, 32);
VRDMA_ASSERT_SIZE(vrdma_rsp_create_cq, 24);
VRDMA_ASSERT_SIZE(vrdma_cmd_resize_cq, 24);
VRDMA_ASSERT_SIZE(vrdma_rsp_resize_cq, 24);
VRDMA_ASSERT_SIZE(vrdma_cmd_create_srq, 32);
VRDMA_ASSERT_SIZE(vrdma_rsp_create_srq, 32);
VRDMA_ASSERT_SIZE(vrdma_cmd_create_xrc_srq, 40);
VRDMA_ASSERT_SIZE(vrdma_rsp_create_xrc_srq, 32);
VRDMA_ASSERT_SIZE(vrdma_cmd_modify_srq, 32);
VRDMA_ASSERT_SIZE(vrdma_rsp_query_srq, 32);
VRDMA_ASSERT_SIZE(vrdma_qp_cap, 24);
VRDMA_ASSERT_SIZE(vrdma_cmd_create_qp, 64);
VRDMA_ASSERT_SIZE(vrdma_rsp_create_qp, 48);
VRDMA_ASSERT_SIZE(vrdma_ah_attr, 36);
VRDMA_ASSERT_SIZE(vrdma_qp_attr, 104);
VRDMA_ASSERT_SIZE(vrdma_cmd_modify_qp, 128);
VRDMA_ASSERT_SIZE(vrdma_cmd_query_qp, 24);
VRDMA_ASSERT_SIZE(vrdma_rsp_query_qp, 128);
VRDMA_ASSERT_SIZE(vrdma_cmd_create_ah, 60);
VRDMA_ASSERT_SIZE(vrdma_rsp_query_ah, 52);
VRDMA_ASSERT_SIZE(vrdma_cmd_mcast, 40);
VRDMA_ASSERT_SIZE(vrdma_iw_address, 24);
VRDMA_ASSERT_SIZE(vrdma_iw_param, 264);
VRDMA_ASSERT_SIZE(vrdma_cmd_iw_connect, 336);
VRDMA_ASSERT_SIZE(vrdma_cmd_iw_listen, 56);
VRDMA_ASSERT_SIZE(vrdma_cmd_iw_accept, 296);
VRDMA_ASSERT_SIZE(vrdma_cmd_iw_reject, 288);
VRDMA_ASSERT_SIZE(vrdma_rsp_iw_event, 344);
VRDMA_ASSERT_SIZE(vrdma_cmd_ucma_open, 24);
VRDMA_ASSERT_SIZE(vrdma_cmd_ucma_command, 32);
VRDMA_ASSERT_SIZE(vrdma_rsp_ucma_command, 24);
VRDMA_ASSERT_SIZE(vrdma_udata_term, 16);
VRDMA_ASSERT_SIZE(vrdma_udata_pointer, 48);
VRDMA_ASSERT_SIZE(vrdma_cmd_query_udata_pointer, 24);
VRDMA_ASSERT_SIZE(vrdma_rsp_query_udata_pointer, 72);
VRDMA_ASSERT_SIZE(vrdma_udata_region, 16);
VRDMA_ASSERT_SIZE(vrdma_doorbell_bitmap, 8384);
VRDMA_ASSERT_SIZE(vrdma_doorbell_area, 278976);

/* The header announces a request structure of exactly `length` bytes. */
static inline int vrdma_cmd_hdr_valid(const struct vrdma_cmd_hdr *hdr, __u32 length)
{
	return VRDMA_LE16(hdr->region_count) <= VRDMA_MAX_UDATA_REGIONS &&
	       VRDMA_LE32(hdr->length) == length;
}

static inline int vrdma_cmd_empty_valid(const struct vrdma_cmd_empty *cmd)
{
	return vrdma_cmd_hdr_valid(&cmd->hdr, sizeof(*cmd));
}

static inline int vrdma_cmd_handle_valid(const struct vrdma_cmd_handle *cmd)
{
	return vrdma_cmd_hdr_valid(&cmd->hdr, sizeof(*cmd)) &&
	       VRDMA_LE32(cmd->handle) != VRDMA_NO_HANDLE;
}

/* [start, start + length) does not wrap and is not empty. */
static inline int vrdma_range_valid(__u64 start, __u64 length)
{
	return length != 0 && length - 1 <= ~(__u64)0 - start;
}

static inline int vrdma_shm_range_valid(__u64 offset, __u64 length)
{
	return vrdma_range_valid(offset, length) &&
	       ((offset | length) & (VRDMA_SHM_PAGE_SIZE - 1)) == 0;
}

static inline int
vrdma_cmd_query_udata_pointer_valid(const struct vrdma_cmd_query_udata_pointer *cmd)
{
	return vrdma_cmd_hdr_valid(&cmd->hdr, sizeof(*cmd));
}

static inline int vrdma_udata_term_valid(const struct vrdma_udata_term *term)
{
	return (term->count & ~(VRDMA_COUNT_ROUND | VRDMA_COUNT_ROUND_UP)) <=
		       VRDMA_COUNT_UDATA_LOG &&
	       term->scale <= VRDMA_SCALE_UDATA_LOG;
}

/* The flags (VRDMA_COMMAND_*) of a command; 0 for an opcode that is no command. */
static inline __u32 vrdma_command_flags(__u16 opcode)
{
	static const struct {
		__u16 opcode;
		__u32 flags;
	} rows[] = {
#define VRDMA_ROW(NAME, name, opcode, request, response, feature, flags) \
		{ VRDMA_CMD_##NAME, flags },
		VRDMA_COMMANDS(VRDMA_ROW)
#undef VRDMA_ROW
		{ 0, 0 }	/* 0 is no command */
	};
	unsigned int i;

	for (i = 0; rows[i].opcode; i++) {
		if (rows[i].opcode == opcode)
			return rows[i].flags;
	}
	return 0;
}

/* The flags that a user pointer in the udata of a command can have; 0 if it has no pointers. */
static inline __u32 vrdma_udata_pointer_flags(__u16 opcode)
{
	__u32 flags = vrdma_command_flags(opcode);

	if (!(flags & VRDMA_COMMAND_HAS_POINTERS))
		return 0;
	if (!(flags & VRDMA_COMMAND_KEEPS_POINTERS))
		return VRDMA_UDATA_POINTER_PAGES | VRDMA_UDATA_POINTER_ROUND;
	return VRDMA_UDATA_POINTER_PAGES | VRDMA_UDATA_POINTER_ROUND |
	       VRDMA_UDATA_POINTER_LASTING;
}

static inline int vrdma_udata_pointer_valid(const struct vrdma_udata_pointer *pointer)
{
	__u32 known = vrdma_udata_pointer_flags(VRDMA_LE16(pointer->opcode));

	return known != 0 && (VRDMA_LE32(pointer->flags) & ~known) == 0 &&
	       VRDMA_LE16(pointer->offset) <= VRDMA_MAX_UDATA_OFFSET &&
	       vrdma_udata_term_valid(&pointer->terms[0]) &&
	       vrdma_udata_term_valid(&pointer->terms[1]);
}

static inline int vrdma_cmd_query_port_valid(const struct vrdma_cmd_query_port *cmd)
{
	return vrdma_cmd_hdr_valid(&cmd->hdr, sizeof(*cmd)) && VRDMA_LE32(cmd->port) != 0;
}

static inline int vrdma_cmd_query_table_valid(const struct vrdma_cmd_query_table *cmd)
{
	return vrdma_cmd_hdr_valid(&cmd->hdr, sizeof(*cmd)) && VRDMA_LE32(cmd->port) != 0;
}

static inline int vrdma_cmd_gid_valid(const struct vrdma_cmd_gid *cmd)
{
	return vrdma_cmd_hdr_valid(&cmd->hdr, sizeof(*cmd)) && VRDMA_LE32(cmd->port) != 0 &&
	       VRDMA_LE32(cmd->type) >= VRDMA_GID_TYPE_ROCE_V1 &&
	       VRDMA_LE32(cmd->type) <= VRDMA_GID_TYPE_IWARP;
}

static inline int vrdma_cmd_mmap_valid(const struct vrdma_cmd_mmap *cmd)
{
	return vrdma_cmd_hdr_valid(&cmd->hdr, sizeof(*cmd)) &&
	       vrdma_shm_range_valid(VRDMA_LE64(cmd->offset), VRDMA_LE64(cmd->length));
}

static inline int vrdma_cmd_munmap_valid(const struct vrdma_cmd_munmap *cmd)
{
	return vrdma_cmd_hdr_valid(&cmd->hdr, sizeof(*cmd)) &&
	       vrdma_shm_range_valid(VRDMA_LE64(cmd->shm_offset), VRDMA_LE64(cmd->length));
}

static inline int vrdma_run_valid(const struct vrdma_run *run)
{
	return vrdma_range_valid(VRDMA_LE64(run->gpa), VRDMA_LE64(run->length));
}

/* A region of no bytes has a run as well: the byte at which it begins. */
static inline __u64 vrdma_region_extent(__u64 length)
{
	return length ? length : 1;
}

static inline int vrdma_region_valid(__u64 start, __u64 length)
{
	return vrdma_range_valid(start, vrdma_region_extent(length));
}

static inline int vrdma_cmd_reg_mr_valid(const struct vrdma_cmd_reg_mr *cmd)
{
	return vrdma_cmd_hdr_valid(&cmd->hdr, sizeof(*cmd)) &&
	       vrdma_region_valid(VRDMA_LE64(cmd->start), VRDMA_LE64(cmd->length)) &&
	       vrdma_region_valid(VRDMA_LE64(cmd->iova), VRDMA_LE64(cmd->length)) &&
	       VRDMA_LE32(cmd->run_count) != 0;
}

static inline int vrdma_cmd_get_dma_mr_valid(const struct vrdma_cmd_get_dma_mr *cmd)
{
	return vrdma_cmd_hdr_valid(&cmd->hdr, sizeof(*cmd));
}

static inline int vrdma_cmd_alloc_mr_valid(const struct vrdma_cmd_alloc_mr *cmd)
{
	return vrdma_cmd_hdr_valid(&cmd->hdr, sizeof(*cmd)) &&
	       VRDMA_LE32(cmd->max_pages) != 0 && VRDMA_LE32(cmd->run_count) != 0;
}

/* Runs come with a new translation, and with nothing else. */
static inline int vrdma_cmd_rereg_mr_valid(const struct vrdma_cmd_rereg_mr *cmd)
{
	const __u32 known = VRDMA_REREG_TRANS | VRDMA_REREG_PD | VRDMA_REREG_ACCESS;
	__u32 flags = VRDMA_LE32(cmd->flags);

	if (!vrdma_cmd_hdr_valid(&cmd->hdr, sizeof(*cmd)) || !flags || (flags & ~known))
		return 0;
	if (!(flags & VRDMA_REREG_TRANS))
		return VRDMA_LE32(cmd->run_count) == 0;
	return vrdma_region_valid(VRDMA_LE64(cmd->start), VRDMA_LE64(cmd->length)) &&
	       vrdma_region_valid(VRDMA_LE64(cmd->iova), VRDMA_LE64(cmd->length)) &&
	       VRDMA_LE32(cmd->run_count) != 0;
}

static inline int vrdma_cmd_alloc_mw_valid(const struct vrdma_cmd_alloc_mw *cmd)
{
	return vrdma_cmd_hdr_valid(&cmd->hdr, sizeof(*cmd));
}

static inline int vrdma_cmd_create_cq_valid(const struct vrdma_cmd_create_cq *cmd)
{
	return vrdma_cmd_hdr_valid(&cmd->hdr, sizeof(*cmd)) && VRDMA_LE32(cmd->cqe) != 0;
}

static inline int vrdma_cmd_resize_cq_valid(const struct vrdma_cmd_resize_cq *cmd)
{
	return vrdma_cmd_hdr_valid(&cmd->hdr, sizeof(*cmd)) && VRDMA_LE32(cmd->cqe) != 0;
}

static inline int vrdma_cmd_create_srq_valid(const struct vrdma_cmd_create_srq *cmd)
{
	return vrdma_cmd_hdr_valid(&cmd->hdr, sizeof(*cmd));
}

static inline int vrdma_cmd_create_xrc_srq_valid(const struct vrdma_cmd_create_xrc_srq *cmd)
{
	return vrdma_cmd_hdr_valid(&cmd->hdr, sizeof(*cmd));
}

static inline int vrdma_cmd_modify_srq_valid(const struct vrdma_cmd_modify_srq *cmd)
{
	return vrdma_cmd_hdr_valid(&cmd->hdr, sizeof(*cmd));
}

static inline int vrdma_cmd_create_qp_valid(const struct vrdma_cmd_create_qp *cmd)
{
	return vrdma_cmd_hdr_valid(&cmd->hdr, sizeof(*cmd)) && cmd->sq_sig_all <= 1;
}

static inline int vrdma_cmd_modify_qp_valid(const struct vrdma_cmd_modify_qp *cmd)
{
	return vrdma_cmd_hdr_valid(&cmd->hdr, sizeof(*cmd));
}

static inline int vrdma_cmd_query_qp_valid(const struct vrdma_cmd_query_qp *cmd)
{
	return vrdma_cmd_hdr_valid(&cmd->hdr, sizeof(*cmd));
}

static inline int vrdma_cmd_create_ah_valid(const struct vrdma_cmd_create_ah *cmd)
{
	return vrdma_cmd_hdr_valid(&cmd->hdr, sizeof(*cmd)) && cmd->attr.port != 0;
}

/*
 * A multicast GID begins with eight ones (IBTA 1.4, 4.1.1) or holds an IPv4 multicast
 * address (annex A17).
 */
static inline int vrdma_gid_is_multicast(const __u8 *gid)
{
	int i;

	if (gid[0] == 0xff)
		return 1;
	for (i = 0; i < 10; i++) {
		if (gid[i])
			return 0;
	}
	return gid[10] == 0xff && gid[11] == 0xff && (gid[12] & 0xf0) == 0xe0;
}

static inline int vrdma_cmd_mcast_valid(const struct vrdma_cmd_mcast *cmd)
{
	return vrdma_cmd_hdr_valid(&cmd->hdr, sizeof(*cmd)) && vrdma_gid_is_multicast(cmd->gid);
}

static inline int vrdma_iw_param_valid(const struct vrdma_iw_param *param)
{
	return VRDMA_LE16(param->private_data_len) <= VRDMA_IW_MAX_PRIVATE_DATA;
}

static inline int vrdma_cmd_iw_connect_valid(const struct vrdma_cmd_iw_connect *cmd)
{
	return vrdma_cmd_hdr_valid(&cmd->hdr, sizeof(*cmd)) && vrdma_iw_param_valid(&cmd->param);
}

static inline int vrdma_cmd_iw_listen_valid(const struct vrdma_cmd_iw_listen *cmd)
{
	return vrdma_cmd_hdr_valid(&cmd->hdr, sizeof(*cmd)) &&
	       (VRDMA_LE32(cmd->flags) & ~(__u32)VRDMA_IW_LISTEN_IPV6_ONLY) == 0;
}

static inline int vrdma_cmd_iw_accept_valid(const struct vrdma_cmd_iw_accept *cmd)
{
	return vrdma_cmd_hdr_valid(&cmd->hdr, sizeof(*cmd)) && vrdma_iw_param_valid(&cmd->param);
}

static inline int vrdma_cmd_iw_reject_valid(const struct vrdma_cmd_iw_reject *cmd)
{
	return vrdma_cmd_hdr_valid(&cmd->hdr, sizeof(*cmd)) && vrdma_iw_param_valid(&cmd->param);
}

/* The response to IW_GET_EVENT, which the driver takes for an event. */
static inline int vrdma_rsp_iw_event_valid(const struct vrdma_rsp_iw_event *rsp)
{
	return VRDMA_LE32(rsp->type) <= VRDMA_IW_EVENT_CLOSED &&
	       VRDMA_LE32(rsp->status) < 4096 && vrdma_iw_param_valid(&rsp->param);
}

static inline int vrdma_cmd_ucma_open_valid(const struct vrdma_cmd_ucma_open *cmd)
{
	return vrdma_cmd_hdr_valid(&cmd->hdr, sizeof(*cmd));
}

static inline int vrdma_cmd_ucma_command_valid(const struct vrdma_cmd_ucma_command *cmd)
{
	return vrdma_cmd_hdr_valid(&cmd->hdr, sizeof(*cmd));
}

/*
 * The response has a sane status, no more udata than the request has room for and,
 * unless it is an error, exactly the `length` bytes that the request demands.
 */
static inline int vrdma_rsp_hdr_valid(const struct vrdma_rsp_hdr *hdr, __u32 length,
				      __u32 udata_out_len)
{
	return VRDMA_LE32(hdr->status) < 4096 && VRDMA_LE32(hdr->udata_len) <= udata_out_len &&
	       (VRDMA_LE32(hdr->status) != 0 || VRDMA_LE32(hdr->length) == length);
}

static inline int vrdma_config_valid(const struct vrdma_config *config)
{
	return VRDMA_LE32(config->protocol_version) == VRDMA_PROTOCOL_VERSION &&
	       VRDMA_LE32(config->port_count) != 0 &&
	       VRDMA_LE16(config->num_comp_vectors) != 0 &&
	       VRDMA_LE16(config->num_comp_vectors) <= VRDMA_MAX_COMP_VECTORS &&
	       VRDMA_LE32(config->max_qp) <= VRDMA_DB_MAX_HANDLES &&
	       VRDMA_LE32(config->max_cq) <= VRDMA_DB_MAX_HANDLES;
}

#endif /* VRDMA_CHECK_H */
