// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// Work requests of send queues, as the RoCE transport takes and completes them.
#include "connectx/transport/callbacks.h"
#include "connectx/transport/requester.h"

// A request that is taken, and where its datagram goes.
typedef struct {
    Request request;
    RoceAddress address;
} Send;

static const Request* request_of(const RoceSend* send) {
    return &((const Send*)send->request)->request;
}

static enum ibv_wr_opcode opcode_of(const Request* request) {
    switch (request->opcode) {
        case kSend:
            return IBV_WR_SEND;
        case kSendImmediate:
            return IBV_WR_SEND_WITH_IMM;
        case kSendInvalidate:
            return IBV_WR_SEND_WITH_INV;
        case kWrite:
            return IBV_WR_RDMA_WRITE;
        case kWriteImmediate:
            return IBV_WR_RDMA_WRITE_WITH_IMM;
        case kRead:
            return IBV_WR_RDMA_READ;
        case kCompareSwap:
            return IBV_WR_ATOMIC_CMP_AND_SWP;
        case kFetchAdd:
            return IBV_WR_ATOMIC_FETCH_AND_ADD;
        default:
            return IBV_WR_DRIVER1;
    }
}

static void describe(const Connectx* nic, Send* own, RoceSend* send) {
    const Request* request = &own->request;

    send->request = own;
    if (request->refused) {
        // The transport knows no such operation, and says so when its turn comes.
        send->opcode = IBV_WR_DRIVER1;
        return;
    }
    send->opcode = opcode_of(request);
    send->local = request->opcode == kNop || request->opcode == kChangeKey;
    send->fence = request->fence;
    send->solicited = request->solicited;
    // No message is as long as this: it ends with an error of its length.
    send->length = request->length > UINT64_C(1) << kLogMaxMessage ? UINT32_MAX : request->length;
    if (request->immediate) {
        memcpy(send->immediate, request->immediate, sizeof(send->immediate));
        send->invalidate_rkey = ldl_be_p(request->immediate);
    }
    send->remote_address = request->remote_address;
    send->rkey = request->remote_key;
    send->srq_number = request->srq;
    if (request->opcode == kCompareSwap) {
        send->compare_add = request->compare;
        send->swap = request->swap_add;
    } else {
        send->compare_add = request->swap_add;
    }
    if (request->path) {
        own->address = path_of_datagram(nic, request->path);
        send->address = &own->address;
        send->remote_qpn = datagram_qpn(request->path);
        send->remote_qkey = datagram_qkey(request->path);
    }
}

bool next_send(void* device, void* owner, RoceSend* send) {
    Connectx* nic = device;
    Qp* qp = owner;
    Send* own;

    if (!requester_has(nic, qp)) {
        return false;
    }
    own = g_new0(Send, 1);
    if (!requester_take(nic, qp, &own->request)) {
        g_free(own);
        return false;
    }
    describe(nic, own, send);
    return true;
}

enum ibv_wc_status gather(void* device, void* owner, const RoceSend* send, uint32_t offset,
                          uint8_t* data, size_t size) {
    return request_copy(device, owner, request_of(send), offset, data, size, kReadMemory)
               ? IBV_WC_SUCCESS
               : IBV_WC_LOC_PROT_ERR;
}

enum ibv_wc_status scatter_response(void* device, void* owner, const RoceSend* send,
                                    uint32_t offset, const uint8_t* data, size_t size) {
    return request_copy(device, owner, request_of(send), offset, (void*)data, size, kWriteMemory)
               ? IBV_WC_SUCCESS
               : IBV_WC_LOC_PROT_ERR;
}

// A request that does nothing, or binds a memory window.
enum ibv_wc_status run_local(void* device, void* owner, const RoceSend* send) {
    const Request* request = request_of(send);

    return request->opcode == kNop || request_change_key(device, owner, request) == kSuccess
               ? IBV_WC_SUCCESS
               : IBV_WC_MW_BIND_ERR;
}

Syndrome syndrome_of(enum ibv_wc_status status) {
    switch (status) {
        case IBV_WC_SUCCESS:
            return kSuccess;
        case IBV_WC_LOC_LEN_ERR:
            return kLocalLength;
        case IBV_WC_LOC_PROT_ERR:
            return kLocalProtection;
        case IBV_WC_WR_FLUSH_ERR:
            return kFlushed;
        case IBV_WC_MW_BIND_ERR:
            return kBinding;
        case IBV_WC_BAD_RESP_ERR:
            return kBadResponse;
        case IBV_WC_LOC_ACCESS_ERR:
            return kLocalAccess;
        case IBV_WC_REM_INV_REQ_ERR:
            return kRemoteInvalid;
        case IBV_WC_REM_ACCESS_ERR:
            return kRemoteAccess;
        case IBV_WC_REM_OP_ERR:
            return kRemoteOperation;
        case IBV_WC_RETRY_EXC_ERR:
            return kRetriesExceeded;
        case IBV_WC_RNR_RETRY_EXC_ERR:
            return kRnrRetriesExceeded;
        default:
            return kLocalOperation;
    }
}

void complete_send(void* device, void* owner, const RoceSend* send, enum ibv_wc_status status,
                   uint32_t length) {
    const bool comes_back = send->opcode == IBV_WR_RDMA_READ ||
                            send->opcode == IBV_WR_ATOMIC_CMP_AND_SWP ||
                            send->opcode == IBV_WR_ATOMIC_FETCH_AND_ADD;

    requester_complete(device, owner, request_of(send), syndrome_of(status),
                       comes_back ? length : 0);
    g_free(send->request);
}

void drop_send(void* device, void* owner, const RoceSend* send) {
    g_free(send->request);
}
