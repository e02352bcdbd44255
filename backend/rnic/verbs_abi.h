// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The constants of the verbs under one spelling for all of rnic/. The values come from the
// kernel's uapi headers and from libibverbs; the few that neither has cite their source.
#pragma once

#include <infiniband/verbs.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/ib_user_verbs.h>
#include <vrdma_kernel.h>

#include <cstdint>

namespace vrdma::rnic {
// Lets an RNIC take these names, and no others of rnic, into its own namespace.
inline namespace verbs_abi {

// X(kName, IBV_NAME, name): the statuses of completions; name is for documents.
#define VRDMA_WC_STATUSES(X)                                            \
    X(kSuccess, IBV_WC_SUCCESS, "success")                              \
    X(kLocalLengthError, IBV_WC_LOC_LEN_ERR, "loc_len_err")             \
    X(kLocalQpOperationError, IBV_WC_LOC_QP_OP_ERR, "loc_qp_op_err")    \
    X(kLocalProtectionError, IBV_WC_LOC_PROT_ERR, "loc_prot_err")       \
    X(kFlushed, IBV_WC_WR_FLUSH_ERR, "wr_flush_err")                    \
    X(kMemoryManagementError, IBV_WC_MW_BIND_ERR, "mw_bind_err")        \
    X(kRemoteInvalidRequest, IBV_WC_REM_INV_REQ_ERR, "rem_inv_req_err") \
    X(kRemoteAccessError, IBV_WC_REM_ACCESS_ERR, "rem_access_err")      \
    X(kRemoteOperationError, IBV_WC_REM_OP_ERR, "rem_op_err")           \
    X(kRetryExceeded, IBV_WC_RETRY_EXC_ERR, "retry_exc_err")            \
    X(kRnrRetryExceeded, IBV_WC_RNR_RETRY_EXC_ERR, "rnr_retry_exc_err")

enum class WcStatus : uint32_t {
#define VRDMA_ROW(name, value, text) name = (value),
    VRDMA_WC_STATUSES(VRDMA_ROW)
#undef VRDMA_ROW
};

struct WcStatusName {
    WcStatus status;
    const char* name;
};
inline constexpr WcStatusName kWcStatusNames[] = {
#define VRDMA_ROW(name, value, text) {WcStatus::name, text},
    VRDMA_WC_STATUSES(VRDMA_ROW)
#undef VRDMA_ROW
};

enum class WrOpcode : uint32_t {
    kRdmaWrite = IB_UVERBS_WR_RDMA_WRITE,
    kRdmaWriteWithImmediate = IB_UVERBS_WR_RDMA_WRITE_WITH_IMM,
    kSend = IB_UVERBS_WR_SEND,
    kSendWithImmediate = IB_UVERBS_WR_SEND_WITH_IMM,
    kRdmaRead = IB_UVERBS_WR_RDMA_READ,
    kCompareAndSwap = IB_UVERBS_WR_ATOMIC_CMP_AND_SWP,
    kFetchAndAdd = IB_UVERBS_WR_ATOMIC_FETCH_AND_ADD,
    kLocalInvalidate = IB_UVERBS_WR_LOCAL_INV,
    kBindWindow = IB_UVERBS_WR_BIND_MW,
    kSendWithInvalidate = IB_UVERBS_WR_SEND_WITH_INV,
    kRegisterMr = VRDMA_WR_REG_MR,
};

enum class WcOpcode : uint32_t {
    kSend = IB_UVERBS_WC_SEND,
    kRdmaWrite = IB_UVERBS_WC_RDMA_WRITE,
    kRdmaRead = IB_UVERBS_WC_RDMA_READ,
    kCompareAndSwap = IB_UVERBS_WC_COMP_SWAP,
    kFetchAndAdd = IB_UVERBS_WC_FETCH_ADD,
    kBindWindow = IB_UVERBS_WC_BIND_MW,
    kLocalInvalidate = IB_UVERBS_WC_LOCAL_INV,
    kRegisterMr = VRDMA_WC_REG_MR,
    kReceive = IBV_WC_RECV,
    kReceiveRdmaWithImmediate = IBV_WC_RECV_RDMA_WITH_IMM,
};

enum class QpState : uint8_t {
    kReset = IBV_QPS_RESET,
    kInit = IBV_QPS_INIT,
    kReadyToReceive = IBV_QPS_RTR,
    kReadyToSend = IBV_QPS_RTS,
    kSendQueueDrained = IBV_QPS_SQD,
    kSendQueueError = IBV_QPS_SQE,
    kError = IBV_QPS_ERR,
};

// kGsi is the general services' queue pair, QP 1 (IBTA 1.4, 13.5.1). User space has no name for
// that type; the value is the kernel's IB_QPT_GSI.
enum class QpType : uint8_t {
    kGsi = 1,
    kRc = IB_UVERBS_QPT_RC,
    kUc = IB_UVERBS_QPT_UC,
    kUd = IB_UVERBS_QPT_UD,
    kXrcInitiator = IB_UVERBS_QPT_XRC_INI,
    kXrcTarget = IB_UVERBS_QPT_XRC_TGT,
};

inline constexpr bool is_datagram(QpType type) {
    return type == QpType::kUd || type == QpType::kGsi;
}

inline constexpr uint32_t kGsiQpNumber = 1;
inline constexpr uint32_t kMulticastQpNumber = 0xffffff;  // IBTA 1.4, 10.5.2
inline constexpr uint32_t kGsiQkey = 0x80010000;          // IBTA 1.4, 10.2.5

inline constexpr uint32_t kSendFence = IBV_SEND_FENCE;
inline constexpr uint32_t kSendSignaled = IBV_SEND_SIGNALED;
inline constexpr uint32_t kSendSolicited = IBV_SEND_SOLICITED;
inline constexpr uint32_t kSendInline = IBV_SEND_INLINE;

inline constexpr uint32_t kWcGrh = IBV_WC_GRH;
inline constexpr uint32_t kWcWithImmediate = IBV_WC_WITH_IMM;
inline constexpr uint32_t kWcWithInvalidate = VRDMA_WC_WITH_INV;
inline constexpr uint32_t kWcWithVlan = VRDMA_WC_WITH_VLAN;

inline constexpr uint32_t kAttrState = IBV_QP_STATE;
inline constexpr uint32_t kAttrCurrentState = IBV_QP_CUR_STATE;
inline constexpr uint32_t kAttrSqdNotify = IBV_QP_EN_SQD_ASYNC_NOTIFY;
inline constexpr uint32_t kAttrAccessFlags = IBV_QP_ACCESS_FLAGS;
inline constexpr uint32_t kAttrPkeyIndex = IBV_QP_PKEY_INDEX;
inline constexpr uint32_t kAttrPort = IBV_QP_PORT;
inline constexpr uint32_t kAttrQkey = IBV_QP_QKEY;
inline constexpr uint32_t kAttrAddressVector = IBV_QP_AV;
inline constexpr uint32_t kAttrPathMtu = IBV_QP_PATH_MTU;
inline constexpr uint32_t kAttrTimeout = IBV_QP_TIMEOUT;
inline constexpr uint32_t kAttrRetryCount = IBV_QP_RETRY_CNT;
inline constexpr uint32_t kAttrRnrRetry = IBV_QP_RNR_RETRY;
inline constexpr uint32_t kAttrRqPsn = IBV_QP_RQ_PSN;
inline constexpr uint32_t kAttrMaxRdAtomic = IBV_QP_MAX_QP_RD_ATOMIC;
inline constexpr uint32_t kAttrAlternatePath = IBV_QP_ALT_PATH;
inline constexpr uint32_t kAttrMinRnrTimer = IBV_QP_MIN_RNR_TIMER;
inline constexpr uint32_t kAttrSqPsn = IBV_QP_SQ_PSN;
inline constexpr uint32_t kAttrMaxDestRdAtomic = IBV_QP_MAX_DEST_RD_ATOMIC;
inline constexpr uint32_t kAttrPathMigration = IBV_QP_PATH_MIG_STATE;
inline constexpr uint32_t kAttrCapabilities = IBV_QP_CAP;
inline constexpr uint32_t kAttrDestQpn = IBV_QP_DEST_QPN;
inline constexpr uint32_t kAttrRateLimit = IBV_QP_RATE_LIMIT;

inline constexpr uint32_t kSrqAttrMaxWr = IBV_SRQ_MAX_WR;
inline constexpr uint32_t kSrqAttrLimit = IBV_SRQ_LIMIT;

inline constexpr uint32_t kAccessLocalWrite = IB_UVERBS_ACCESS_LOCAL_WRITE;
inline constexpr uint32_t kAccessRemoteWrite = IB_UVERBS_ACCESS_REMOTE_WRITE;
inline constexpr uint32_t kAccessRemoteRead = IB_UVERBS_ACCESS_REMOTE_READ;
inline constexpr uint32_t kAccessRemoteAtomic = IB_UVERBS_ACCESS_REMOTE_ATOMIC;
inline constexpr uint32_t kAccessMwBind = IB_UVERBS_ACCESS_MW_BIND;
inline constexpr uint32_t kAccessZeroBased = IB_UVERBS_ACCESS_ZERO_BASED;
inline constexpr uint32_t kAccessOnDemand = IB_UVERBS_ACCESS_ON_DEMAND;
inline constexpr uint32_t kAccessHugeTlb = IB_UVERBS_ACCESS_HUGETLB;
inline constexpr uint32_t kAccessOptionalRange = IB_UVERBS_ACCESS_OPTIONAL_RANGE;

inline constexpr uint32_t kReregTranslation = IBV_REREG_MR_CHANGE_TRANSLATION;
inline constexpr uint32_t kReregPd = IBV_REREG_MR_CHANGE_PD;
inline constexpr uint32_t kReregAccess = IBV_REREG_MR_CHANGE_ACCESS;

inline constexpr uint32_t kMtu256 = IBV_MTU_256;
inline constexpr uint32_t kMtu4096 = IBV_MTU_4096;

}  // namespace verbs_abi
}  // namespace vrdma::rnic
