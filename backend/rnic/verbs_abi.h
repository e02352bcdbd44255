// SPDX-License-Identifier: Apache-2.0
// Verbs constants that the kernel's uapi headers lack; IBTA 1.4, chapter 11, with
// the values of the kernel's enums of the same names.
#pragma once

#include <vrdma_kernel.h>

#include <cstdint>

namespace vrdma::embedded {

enum class WcStatus : uint32_t {
    kSuccess = 0,
    kLocalLengthError = 1,
    kLocalQpOperationError = 2,
    kLocalProtectionError = 4,
    kFlushed = 5,
    kMemoryManagementError = 6,  // IB_WC_MW_BIND_ERR
    kRemoteInvalidRequest = 9,
    kRemoteAccessError = 10,
    kRemoteOperationError = 11,
    kRetryExceeded = 12,
    kRnrRetryExceeded = 13,
};

enum class WrOpcode : uint32_t {
    kRdmaWrite = 0,
    kRdmaWriteWithImmediate = 1,
    kSend = 2,
    kSendWithImmediate = 3,
    kRdmaRead = 4,
    kCompareAndSwap = 5,
    kFetchAndAdd = 6,
    kLocalInvalidate = 7,
    kBindWindow = 8,
    kSendWithInvalidate = 9,
    kRegisterMr = VRDMA_WR_REG_MR,
};

enum class WcOpcode : uint32_t {
    kSend = 0,
    kRdmaWrite = 1,
    kRdmaRead = 2,
    kCompareAndSwap = 3,
    kFetchAndAdd = 4,
    kBindWindow = 5,
    kLocalInvalidate = 6,
    kRegisterMr = VRDMA_WC_REG_MR,
    kReceive = 128,
    kReceiveRdmaWithImmediate = 129,
};

enum class QpState : uint8_t {
    kReset = 0,
    kInit = 1,
    kReadyToReceive = 2,
    kReadyToSend = 3,
    kSendQueueDrained = 4,
    kSendQueueError = 5,
    kError = 6,
};

// kGsi: the general services' queue pair, QP 1 (IBTA 1.4, 13.5.1).
enum class QpType : uint8_t { kGsi = 1, kRc = 2, kUc = 3, kUd = 4 };

inline constexpr bool is_datagram(QpType type) {
    return type == QpType::kUd || type == QpType::kGsi;
}

inline constexpr uint32_t kGsiQpNumber = 1;
inline constexpr uint32_t kMulticastQpNumber = 0xffffff;  // IBTA 1.4, 10.5.2
inline constexpr uint32_t kGsiQkey = 0x80010000;          // IBTA 1.4, 10.2.5

inline constexpr uint32_t kSendFence = 1 << 0;
inline constexpr uint32_t kSendSignaled = 1 << 1;
inline constexpr uint32_t kSendSolicited = 1 << 2;
inline constexpr uint32_t kSendInline = 1 << 3;

inline constexpr uint32_t kWcGrh = 1 << 0;
inline constexpr uint32_t kWcWithImmediate = 1 << 1;
inline constexpr uint32_t kWcWithInvalidate = VRDMA_WC_WITH_INV;

inline constexpr uint32_t kAttrState = 1 << 0;
inline constexpr uint32_t kAttrCurrentState = 1 << 1;
inline constexpr uint32_t kAttrSqdNotify = 1 << 2;
inline constexpr uint32_t kAttrAccessFlags = 1 << 3;
inline constexpr uint32_t kAttrPkeyIndex = 1 << 4;
inline constexpr uint32_t kAttrPort = 1 << 5;
inline constexpr uint32_t kAttrQkey = 1 << 6;
inline constexpr uint32_t kAttrAddressVector = 1 << 7;
inline constexpr uint32_t kAttrPathMtu = 1 << 8;
inline constexpr uint32_t kAttrTimeout = 1 << 9;
inline constexpr uint32_t kAttrRetryCount = 1 << 10;
inline constexpr uint32_t kAttrRnrRetry = 1 << 11;
inline constexpr uint32_t kAttrRqPsn = 1 << 12;
inline constexpr uint32_t kAttrMaxRdAtomic = 1 << 13;
inline constexpr uint32_t kAttrAlternatePath = 1 << 14;
inline constexpr uint32_t kAttrMinRnrTimer = 1 << 15;
inline constexpr uint32_t kAttrSqPsn = 1 << 16;
inline constexpr uint32_t kAttrMaxDestRdAtomic = 1 << 17;
inline constexpr uint32_t kAttrPathMigration = 1 << 18;
inline constexpr uint32_t kAttrCapabilities = 1 << 19;
inline constexpr uint32_t kAttrDestQpn = 1 << 20;

inline constexpr uint32_t kSrqAttrMaxWr = 1 << 0;
inline constexpr uint32_t kSrqAttrLimit = 1 << 1;

inline constexpr uint32_t kAccessLocalWrite = 1 << 0;
inline constexpr uint32_t kAccessRemoteWrite = 1 << 1;
inline constexpr uint32_t kAccessRemoteRead = 1 << 2;
inline constexpr uint32_t kAccessRemoteAtomic = 1 << 3;
inline constexpr uint32_t kAccessMwBind = 1 << 4;
inline constexpr uint32_t kAccessZeroBased = 1 << 5;

inline constexpr uint32_t kMtu4096 = 5;  // enum ib_mtu

}  // namespace vrdma::embedded
