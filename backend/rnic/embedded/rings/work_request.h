// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Work requests as the guest wrote them into a ring, copied once and checked against the limits of
// their queue.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "rnic/attributes.h"
#include "rnic/embedded/rings/rxe_abi.h"

namespace vrdma::embedded {

struct Sge {
    uint64_t address;
    uint32_t length;
    uint32_t key;
};
static_assert(sizeof(Sge) == sizeof(rxe_sge));

// The most that a request of a send queue may have, as the queue was created.
struct SendLimits {
    uint32_t max_sge = 0;
    uint32_t max_inline = 0;
};

struct SendRequest {
    uint64_t wr_id;
    WrOpcode opcode;
    uint32_t flags;
    uint32_t immediate;  // as it travels, never swapped; or the key to invalidate
    union {
        struct {
            uint64_t remote_address;
            uint32_t rkey;
        } rdma;
        struct {
            uint64_t remote_address;
            uint64_t compare_or_add;
            uint64_t swap;
            uint32_t rkey;
        } atomic;
        struct {
            uint32_t remote_qpn;
            uint32_t remote_qkey;
            uint32_t ah_number;  // 0: the request has the address vector itself
        } ud;
        struct {
            uint32_t key;
            uint32_t access;
        } reg;
        struct {
            uint64_t address;
            uint64_t length;
            uint32_t lkey;         // of the region
            uint32_t current_key;  // of the window
            uint32_t key;          // whose low 8 bits the window's gets
            uint32_t access;
        } bind;
    };
    rnic::AhAttributes address;  // of a datagram whose ah_number is 0
    bool is_inline;
    uint32_t sge_count;
    uint64_t length;  // of the message
    union {
        std::array<Sge, kMaxSge> sges;
        alignas(16) std::array<std::byte, kMaxInline> inline_data;
    };

    std::span<const Sge> list() const { return {sges.data(), sge_count}; }
    bool signaled() const { return (flags & kSendSignaled) != 0; }
};

// Copies the element of a send queue into `request` and checks the request by itself. Answers
//  kSuccess,
//  kLocalLengthError when the inline data or the message is too long,
//  kLocalQpOperationError for an unknown opcode, too many SGEs, or inline data where none may be.
// wr_id and opcode are valid in any case.
WcStatus parse_send_request(std::span<const std::byte> element, const SendLimits& limits,
                            QpType type, SendRequest& request);

struct ReceiveRequest {
    uint64_t wr_id;
    uint32_t sge_count;
    uint64_t length;  // room
    std::array<Sge, kMaxSge> sges;

    std::span<const Sge> list() const { return {sges.data(), sge_count}; }
};

// Copies the element of a receive queue into `request`. Answers kSuccess, or
// kLocalQpOperationError when the request has more than `max_sge` SGEs.
WcStatus parse_receive_request(std::span<const std::byte> element, uint32_t max_sge,
                               ReceiveRequest& request);

// The wr_id and the opcode alone of a request that is flushed.
struct FlushedRequest {
    uint64_t wr_id;
    WcOpcode opcode;
};
FlushedRequest parse_flushed_send(std::span<const std::byte> element);
uint64_t parse_flushed_receive(std::span<const std::byte> element);

inline bool is_atomic(WrOpcode opcode) {
    return opcode == WrOpcode::kCompareAndSwap || opcode == WrOpcode::kFetchAndAdd;
}

// The opcode of the completion. `opcode` is any value that a guest may have written.
inline WcOpcode completion_opcode(WrOpcode opcode) {
    static constexpr std::array kOpcodes{
        WcOpcode::kRdmaWrite,   WcOpcode::kRdmaWrite,       WcOpcode::kSend,
        WcOpcode::kSend,        WcOpcode::kRdmaRead,        WcOpcode::kCompareAndSwap,
        WcOpcode::kFetchAndAdd, WcOpcode::kLocalInvalidate, WcOpcode::kBindWindow};
    const auto index = static_cast<uint32_t>(opcode);
    if (index < kOpcodes.size()) {
        return kOpcodes[index];
    }
    return opcode == WrOpcode::kRegisterMr ? WcOpcode::kRegisterMr : WcOpcode::kSend;
}

}  // namespace vrdma::embedded
