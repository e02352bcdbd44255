// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Creates many queue pairs, says "ready", and keeps them until it is told to end.
#include <errno.h>
#include <infiniband/verbs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *what, int index)
{
	fprintf(stderr, "%s %d: %s\n", what, index, strerror(errno));
	exit(1);
}

int main(int argc, char **argv)
{
	int wanted = argc > 1 ? atoi(argv[1]) : 1000;
	struct ibv_device **devices = ibv_get_device_list(NULL);
	struct ibv_context *context = devices && devices[0] ? ibv_open_device(devices[0]) : NULL;

	if (!context)
		die("device", 0);
	struct ibv_pd *pd = ibv_alloc_pd(context);
	struct ibv_cq *cq = ibv_create_cq(context, 64, NULL, NULL, 0);

	if (!pd || !cq)
		die("pd or cq", 0);
	for (int i = 0; i < wanted; i++) {
		struct ibv_qp_init_attr attr = {
			.send_cq = cq,
			.recv_cq = cq,
			.qp_type = IBV_QPT_RC,
			.cap = { .max_send_wr = 16, .max_recv_wr = 16,
				 .max_send_sge = 1, .max_recv_sge = 1 },
		};
		if (!ibv_create_qp(pd, &attr))
			die("queue pair", i);
	}
	printf("ready\n");
	fflush(stdout);
	sigset_t ending;
	int number;

	sigemptyset(&ending);
	sigaddset(&ending, SIGTERM);
	sigprocmask(SIG_BLOCK, &ending, NULL);
	sigwait(&ending, &number);
	return 0;
}
