// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Issues REREG_MR, which librxe does not pass on, to the kernel as libibverbs would.  RDMA writes
// of a queue pair to itself find out what the region is then.  The program says "ok" at the end.
// Usage: reregister GID_INDEX
#include <errno.h>
#include <infiniband/verbs.h>
#include <rdma/ib_user_verbs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096

static struct ibv_context *context;
static struct ibv_cq *cq;
static struct ibv_qp *qp;

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static int reregister(struct ibv_mr *mr, int flags, struct ibv_pd *pd, void *start, int access)
{
	struct ib_uverbs_rereg_mr_resp answer;
	struct {
		struct ib_uverbs_cmd_hdr header;
		struct ib_uverbs_rereg_mr request;
	} command = {
		.header = { .command = IB_USER_VERBS_CMD_REREG_MR,
			    .in_words = sizeof(command) / 4,
			    .out_words = sizeof(answer) / 4 },
		.request = { .response = (uintptr_t)&answer,
			     .mr_handle = mr->handle,
			     .flags = flags,
			     .start = (uintptr_t)start,
			     .length = PAGE,
			     .hca_va = (uintptr_t)start,
			     .pd_handle = pd ? pd->handle : 0,
			     .access_flags = access },
	};

	if (write(context->cmd_fd, &command, sizeof(command)) != sizeof(command))
		return errno;
	mr->lkey = answer.lkey;
	mr->rkey = answer.rkey;
	return 0;
}

static void make_queue_pair(struct ibv_pd *pd, int gid_index)
{
	struct ibv_qp_init_attr init = {
		.send_cq = cq, .recv_cq = cq, .qp_type = IBV_QPT_RC,
		.cap = { .max_send_wr = 4, .max_recv_wr = 4, .max_send_sge = 1,
			 .max_recv_sge = 1, .max_inline_data = 64 },
	};
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_INIT, .port_num = 1,
				    .qp_access_flags = IBV_ACCESS_REMOTE_WRITE };

	qp = ibv_create_qp(pd, &init);
	check(qp, "queue pair");
	check(!ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
			     IBV_QP_ACCESS_FLAGS), "INIT");
	attr = (struct ibv_qp_attr){ .qp_state = IBV_QPS_RTR, .path_mtu = IBV_MTU_1024,
				     .dest_qp_num = qp->qp_num, .min_rnr_timer = 12,
				     .ah_attr = { .is_global = 1, .port_num = 1,
						  .grh = { .sgid_index = gid_index,
							   .hop_limit = 64 } } };
	check(!ibv_query_gid(context, 1, gid_index, &attr.ah_attr.grh.dgid), "GID");
	check(!ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU |
			     IBV_QP_DEST_QPN | IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC |
			     IBV_QP_MIN_RNR_TIMER), "RTR");
	attr = (struct ibv_qp_attr){ .qp_state = IBV_QPS_RTS, .timeout = 14, .retry_cnt = 7,
				     .rnr_retry = 7 };
	check(!ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
			     IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC), "RTS");
}

/* The status of an RDMA write of `text` to `address` by `rkey`. */
static enum ibv_wc_status write_to(void *address, uint32_t rkey, const char *text)
{
	struct ibv_sge sge = { .addr = (uintptr_t)text, .length = strlen(text) };
	struct ibv_send_wr wr = { .opcode = IBV_WR_RDMA_WRITE,
				  .send_flags = IBV_SEND_SIGNALED | IBV_SEND_INLINE,
				  .sg_list = &sge, .num_sge = 1,
				  .wr.rdma = { (uintptr_t)address, rkey } };
	struct ibv_send_wr *bad;
	struct ibv_wc wc;
	int found;

	check(!ibv_post_send(qp, &wr, &bad), "post_send");
	do
		found = ibv_poll_cq(cq, 1, &wc);
	while (!found);
	check(found == 1, "poll_cq");
	return wc.status;
}

int main(int argc, char **argv)
{
	struct ibv_device **devices = ibv_get_device_list(NULL);
	struct ibv_pd *pd, *other;
	struct ibv_mr *mr;
	uint32_t old_key;
	char *first, *second;

	context = devices && devices[0] ? ibv_open_device(devices[0]) : NULL;
	check(context, "device");
	pd = ibv_alloc_pd(context);
	other = ibv_alloc_pd(context);
	cq = ibv_create_cq(context, 16, NULL, NULL, 0);
	check(pd && other && cq, "pd or cq");
	first = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(first != MAP_FAILED, "mmap");
	second = first + PAGE;
	make_queue_pair(pd, argc > 1 ? atoi(argv[1]) : 0);

	/* The region's pages are pinned for reading only, until it becomes writable. */
	mr = ibv_reg_mr(pd, first, PAGE, 0);
	check(mr, "reg_mr");
	check(!reregister(mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL,
			  IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE), "access");
	check(write_to(first, mr->rkey, "first") == IBV_WC_SUCCESS, "write to the first page");
	check(!strcmp(first, "first"), "what the first page has");

	old_key = mr->rkey;
	check(!reregister(mr, IBV_REREG_MR_CHANGE_TRANSLATION, NULL, second, 0), "translation");
	check(write_to(second, mr->rkey, "second") == IBV_WC_SUCCESS, "write to the second page");
	check(!strcmp(second, "second") && !strcmp(first, "first"), "what the pages have");

	check(reregister(mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, IBV_ACCESS_REMOTE_WRITE) ==
	      EINVAL, "rights that contradict");
	check(!reregister(mr, IBV_REREG_MR_CHANGE_PD, other, NULL, 0), "domain");
	check(ibv_dealloc_pd(other) == EBUSY, "the domain is in use");
	check(!reregister(mr, IBV_REREG_MR_CHANGE_PD, pd, NULL, 0), "domain again");
	check(!ibv_dealloc_pd(other), "the domain is free");

	check(write_to(first, old_key, "third") == IBV_WC_REM_ACCESS_ERR, "write by the old key");
	check(!ibv_dereg_mr(mr), "dereg_mr");
	printf("ok\n");
	return 0;
}
