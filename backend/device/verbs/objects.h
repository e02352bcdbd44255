// SPDX-License-Identifier: Apache-2.0
// What a guest holds, with what each object depends on.  `uctx` is the handle of the
// user context that owns it; `users` counts the objects that refer to this one.
#pragma once

#include <cstdint>
#include <memory>
#include <set>

#include "rnic/rnic.h"

namespace vrdma::device {

// Guest memory that an object keeps in use, for the quota.
struct MemoryUse {
    uint64_t bytes = 0;
    uint64_t runs = 0;
};

struct ContextObject {
    std::unique_ptr<rnic::Context> context;
};

struct PdObject {
    uint32_t uctx = 0;
    std::unique_ptr<rnic::ProtectionDomain> pd;
    uint32_t users = 0;
};

struct MrObject {
    uint32_t uctx = 0;
    PdObject* pd = nullptr;
    std::unique_ptr<rnic::MemoryRegion> mr;
    MemoryUse memory;
};

struct MwObject {
    uint32_t uctx = 0;
    PdObject* pd = nullptr;
    std::unique_ptr<rnic::MemoryWindow> mw;
};

struct CqObject {
    uint32_t uctx = 0;
    std::unique_ptr<rnic::CompletionQueue> cq;
    uint32_t users = 0;
    MemoryUse memory;
};

struct SrqObject {
    uint32_t uctx = 0;
    PdObject* pd = nullptr;
    std::unique_ptr<rnic::SharedReceiveQueue> srq;
    uint32_t users = 0;
    MemoryUse memory;
};

struct QpObject {
    uint32_t uctx = 0;
    PdObject* pd = nullptr;
    CqObject* send_cq = nullptr;
    CqObject* recv_cq = nullptr;
    SrqObject* srq = nullptr;  // or none
    std::unique_ptr<rnic::QueuePair> qp;
    std::set<rnic::Gid> groups{};  // multicast groups that it is attached to
    bool sq_sig_all = false;
    MemoryUse memory;
};

struct AhObject {
    uint32_t uctx = 0;
    PdObject* pd = nullptr;
    std::unique_ptr<rnic::AddressHandle> ah;
    rnic::AhAttributes attributes;
};

// The device's, not a user context's.
struct UcmaFileObject {
    std::unique_ptr<rnic::UcmaFile> file;
};

// RNIC memory that is mapped into the shared memory region.
struct MappingObject {
    uint32_t uctx = 0;
    uint64_t length = 0;  // bytes
};

}  // namespace vrdma::device
