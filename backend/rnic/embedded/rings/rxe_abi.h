// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The layout of rxe's rings and work requests, as constants.
//
// <rdma/rdma_user_rxe.h> ends rxe_send_wqe and rxe_recv_wqe in a flexible array behind an empty
// structure. An empty structure takes 0 bytes in C and 8 in C++, so their sizeof is wrong here.
// The offsets before it are right, and only those are used.
#pragma once

#include <rdma/ib_user_verbs.h>
#include <rdma/rdma_user_rxe.h>

#include <cstddef>
#include <cstdint>

#include "rnic/verbs_abi.h"

namespace vrdma::embedded {

using namespace rnic::verbs_abi;

inline constexpr size_t kDmaHeadSize = 24;  // rxe_dma_info up to its payload
inline constexpr size_t kSendWqeHeadSize = offsetof(rxe_send_wqe, dma) + kDmaHeadSize;
inline constexpr size_t kRecvWqeHeadSize = offsetof(rxe_recv_wqe, dma) + kDmaHeadSize;
static_assert(kSendWqeHeadSize == 208);
static_assert(kRecvWqeHeadSize == 40);
static_assert(sizeof(rxe_queue_buf) == 384);
static_assert(sizeof(ib_uverbs_wc) == 48);

inline constexpr size_t kMinElementSize = 64;  // of any ring: one cache line
inline constexpr size_t kCqElementSize = 64;

inline constexpr uint32_t kMaxSge = 32;
// The largest amount with which a send element still takes 1024 bytes, a power of two.
inline constexpr uint32_t kMaxInline = 1024 - kSendWqeHeadSize;
inline constexpr uint64_t kMaxMessage = uint64_t{1} << 30;
inline constexpr uint32_t kMaxFastRegPages = 512;
inline constexpr uint32_t kPortMtu = 4096;
inline constexpr uint32_t kMaxRdAtomic = 128;
inline constexpr uint32_t kMaxGroups = 8192;
inline constexpr uint32_t kMaxGroupMembers = 56;  // of one port
inline constexpr uint32_t kGrhSize = 40;
inline constexpr uint32_t kGidTableLength = 256;

}  // namespace vrdma::embedded
