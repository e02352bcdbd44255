/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 the vrdma authors */
/*
 * vrdma wire protocol: the list of counters (VRDMA_F_COUNTERS).  The names of a port's
 * statistics in the guest and those in the status of the device are derived from it.
 */
#ifndef VRDMA_COUNTERS_H
#define VRDMA_COUNTERS_H

/*
 * X(NAME, name): a counter, in the order of QUERY_COUNTERS.  The names are those of Linux
 * where a driver counts the same: rxe, or mlx5 for req_cqe_error.  New ones go to the end.
 */
#define VRDMA_COUNTERS(X) \
	/* messages that were sent, and that arrived, with reads and atomic operations */ \
	X(SENT_PKTS, sent_pkts) \
	X(RCVD_PKTS, rcvd_pkts) \
	/* bytes of these messages, those of a read with the one who answers it */ \
	X(SENT_BYTES, sent_bytes) \
	X(RCVD_BYTES, rcvd_bytes) \
	/* operations that the guest requested and that succeeded, and receives completed */ \
	X(RDMA_SENDS, rdma_sends) \
	X(RDMA_RECVS, rdma_recvs) \
	X(RDMA_WRITES, rdma_writes) \
	X(RDMA_READS, rdma_reads) \
	X(RDMA_ATOMICS, rdma_atomics) \
	/* RNR NAKs that came, and that went out: nothing was posted to receive into */ \
	X(RCVD_RNR_ERR, rcvd_rnr_err) \
	X(SEND_RNR_ERR, send_rnr_err) \
	/* messages tried again since nobody answered */ \
	X(COMPLETER_RETRY_ERR, completer_retry_err) \
	/* messages given up since nobody answered, or since nothing was posted */ \
	X(RETRY_EXCEEDED_ERR, retry_exceeded_err) \
	X(RETRY_RNR_EXCEEDED_ERR, retry_rnr_exceeded_err) \
	/* requests that completed with an error, without those that were flushed */ \
	X(REQ_CQE_ERROR, req_cqe_error)

enum vrdma_counter {
#define VRDMA_ROW(NAME, name)	VRDMA_COUNTER_##NAME,
	VRDMA_COUNTERS(VRDMA_ROW)
#undef VRDMA_ROW
	VRDMA_COUNTER_COUNT
};

/* The room for counters in a response; those that a device does not know are 0. */
#define VRDMA_MAX_COUNTERS	32

#endif /* VRDMA_COUNTERS_H */
