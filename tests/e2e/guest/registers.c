// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Registers memory and creates queues, and releases both, without end.  The program says
// "registers" when it has begun, and keeps some of each to be released when it is killed.
// Usage: registers DEVICE
#include <errno.h>
#include <infiniband/verbs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define KEPT 20
#define LENGTH 1048576

static struct ibv_context *open_device(const char *name)
{
	int count;
	struct ibv_device **list = ibv_get_device_list(&count);

	for (int i = 0; list && i < count; i++) {
		if (!strcmp(ibv_get_device_name(list[i]), name))
			return ibv_open_device(list[i]);
	}
	return NULL;
}

static void end(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

static void *taken(void *object, const char *what)
{
	if (!object)
		end(what);
	return object;
}

static struct ibv_mr *make_mr(struct ibv_pd *pd)
{
	void *memory = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			    0);

	if (memory == MAP_FAILED)
		end("mmap");
	return taken(ibv_reg_mr(pd, memory, LENGTH, IBV_ACCESS_LOCAL_WRITE), "ibv_reg_mr");
}

int main(int argc, char **argv)
{
	struct ibv_context *context = taken(argc == 2 ? open_device(argv[1]) : NULL, "no device");
	struct ibv_pd *pd = taken(ibv_alloc_pd(context), "ibv_alloc_pd");

	for (int i = 0; i < KEPT; i++) {
		make_mr(pd);
		taken(ibv_create_cq(context, 100, NULL, NULL, 0), "ibv_create_cq");
	}
	printf("registers\n");
	fflush(stdout);
	for (;;) {
		struct ibv_mr *mr = make_mr(pd);
		struct ibv_cq *cq = taken(ibv_create_cq(context, 100, NULL, NULL, 0),
					  "ibv_create_cq");
		void *memory = mr->addr;

		if (ibv_destroy_cq(cq))
			end("ibv_destroy_cq");
		if (ibv_dereg_mr(mr))
			end("ibv_dereg_mr");
		munmap(memory, LENGTH);
	}
}
