// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The vhost-user protocol's numbers and structures, which are in no system header
// (QEMU: docs/interop/vhost-user.rst).  All in native byte order.
#pragma once

#include <linux/vhost_types.h>

#include <cstddef>
#include <cstdint>

#include "vhost/feature_bit.h"

namespace vrdma::vhost {

// Messages from the VMM.
enum class Request : uint32_t {
    kGetFeatures = 1,
    kSetFeatures = 2,
    kSetOwner = 3,
    kResetOwner = 4,
    kSetMemTable = 5,
    kSetVringNum = 8,
    kSetVringAddr = 9,
    kSetVringBase = 10,
    kGetVringBase = 11,
    kSetVringKick = 12,
    kSetVringCall = 13,
    kSetVringErr = 14,
    kGetProtocolFeatures = 15,
    kSetProtocolFeatures = 16,
    kGetQueueNum = 17,
    kSetVringEnable = 18,
    kSetBackendReqFd = 21,
    kGetConfig = 24,
    kSetConfig = 25,
    kResetDevice = 34,
    kGetMaxMemSlots = 36,
    kAddMemReg = 37,
    kRemMemReg = 38,
};

// Messages to the VMM, on the channel of back-end requests.
enum class BackendRequest : uint32_t {
    kConfigChange = 2,
    kShmemMap = 9,
    kShmemUnmap = 10,
};

// Feature bit by which the two ends agree on protocol features, number included.
inline constexpr unsigned kFeatureProtocolFeatures = 30;

// Bit numbers of protocol features.
enum class ProtocolFeature : unsigned {
    kMq = 0,
    kReplyAck = 3,
    kBackendReq = 5,
    kConfig = 9,
    kBackendSendFd = 10,
    kResetDevice = 13,
    kConfigureMemSlots = 15,
};

constexpr uint64_t bit(ProtocolFeature feature) {
    return bit(static_cast<unsigned>(feature));
}

inline constexpr uint32_t kVersion = 1;
inline constexpr uint32_t kVersionMask = 0x3;
inline constexpr uint32_t kFlagReply = 1 << 2;
inline constexpr uint32_t kFlagNeedReply = 1 << 3;

struct VuHeader {
    uint32_t request;
    uint32_t flags;
    uint32_t size;  // of the payload
};
static_assert(sizeof(VuHeader) == 12);

// SET_VRING_KICK, CALL and ERR: ring index, and whether a descriptor is absent.
inline constexpr uint64_t kVringIndexMask = 0xff;
inline constexpr uint64_t kVringNoFd = 0x100;

struct VuMemoryRegion {
    uint64_t guest_address;
    uint64_t size;
    uint64_t user_address;
    uint64_t mmap_offset;
};
static_assert(sizeof(VuMemoryRegion) == 32);

// The most regions, and so descriptors, of one SET_MEM_TABLE.
inline constexpr size_t kMaxTableRegions = 8;

struct VuMemoryTable {
    uint32_t region_count;
    uint32_t padding;
    VuMemoryRegion regions[kMaxTableRegions];
};
static_assert(sizeof(VuMemoryTable) == 8 + 32 * kMaxTableRegions);

// The payload of ADD_MEM_REG and REM_MEM_REG.
struct VuSingleRegion {
    uint64_t padding;
    VuMemoryRegion region;
};
static_assert(sizeof(VuSingleRegion) == 40);

// The head of GET_CONFIG and SET_CONFIG, which `size` bytes follow.
struct VuConfigHeader {
    uint32_t offset;
    uint32_t size;
    uint32_t flags;
};
static_assert(sizeof(VuConfigHeader) == 12);
inline constexpr size_t kMaxConfigSize = 256;

// The payload of SHMEM_MAP and SHMEM_UNMAP.
struct ShmemMapping {
    uint8_t region;
    uint8_t padding[7];
    uint64_t fd_offset;
    uint64_t region_offset;
    uint64_t length;
    uint64_t flags;
};
static_assert(sizeof(ShmemMapping) == 40);
inline constexpr uint64_t kShmemWritable = 1 << 0;

// An answer of one integer.
struct [[gnu::packed]] VuReply {
    VuHeader header;
    uint64_t value;
};
static_assert(sizeof(VuReply) == 20);

}  // namespace vrdma::vhost
