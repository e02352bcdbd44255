// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vhost/server/message_table.h"

#include <linux/vhost_types.h>

#include <algorithm>
#include <array>

namespace vrdma::vhost {
namespace {

using H = VmmSession;
using enum Request;

constexpr size_t kU64 = sizeof(uint64_t);
constexpr size_t kState = sizeof(vhost_vring_state);
constexpr size_t kRegion = sizeof(VuSingleRegion);
constexpr size_t kConfigMin = sizeof(VuConfigHeader);
constexpr size_t kConfigMax = sizeof(VuConfigHeader) + kMaxConfigSize;

// request, name, payload bytes (least, most), descriptors (least, most), handler
constexpr std::array kMessageTypes = {
    MessageType{kGetFeatures, "GET_FEATURES", 0, 0, 0, 0, &H::get_features},
    MessageType{kSetFeatures, "SET_FEATURES", kU64, kU64, 0, 0, &H::set_features},
    MessageType{kSetOwner, "SET_OWNER", 0, 0, 0, 0, &H::set_owner},
    MessageType{kResetOwner, "RESET_OWNER", 0, 0, 0, 0, &H::reset_owner},
    MessageType{kSetMemTable, "SET_MEM_TABLE", kU64, sizeof(VuMemoryTable), 0, kMaxTableRegions,
                &H::set_mem_table},
    MessageType{kSetVringNum, "SET_VRING_NUM", kState, kState, 0, 0, &H::set_vring_num},
    MessageType{kSetVringAddr, "SET_VRING_ADDR", sizeof(vhost_vring_addr), sizeof(vhost_vring_addr),
                0, 0, &H::set_vring_addr},
    MessageType{kSetVringBase, "SET_VRING_BASE", kState, kState, 0, 0, &H::set_vring_base},
    MessageType{kGetVringBase, "GET_VRING_BASE", kState, kState, 0, 0, &H::get_vring_base},
    MessageType{kSetVringKick, "SET_VRING_KICK", kU64, kU64, 0, 1, &H::set_vring_kick},
    MessageType{kSetVringCall, "SET_VRING_CALL", kU64, kU64, 0, 1, &H::set_vring_call},
    MessageType{kSetVringErr, "SET_VRING_ERR", kU64, kU64, 0, 1, &H::set_vring_err},
    MessageType{kGetProtocolFeatures, "GET_PROTOCOL_FEATURES", 0, 0, 0, 0,
                &H::get_protocol_features},
    MessageType{kSetProtocolFeatures, "SET_PROTOCOL_FEATURES", kU64, kU64, 0, 0,
                &H::set_protocol_features},
    MessageType{kGetQueueNum, "GET_QUEUE_NUM", 0, 0, 0, 0, &H::get_queue_num},
    MessageType{kSetVringEnable, "SET_VRING_ENABLE", kState, kState, 0, 0, &H::set_vring_enable},
    MessageType{kSetBackendReqFd, "SET_BACKEND_REQ_FD", 0, 0, 1, 1, &H::set_backend_req_fd},
    MessageType{kGetConfig, "GET_CONFIG", kConfigMin, kConfigMax, 0, 0, &H::get_config},
    MessageType{kSetConfig, "SET_CONFIG", kConfigMin, kConfigMax, 0, 0, &H::set_config},
    MessageType{kResetDevice, "RESET_DEVICE", 0, 0, 0, 0, &H::reset_device},
    MessageType{kGetMaxMemSlots, "GET_MAX_MEM_SLOTS", 0, 0, 0, 0, &H::get_max_mem_slots},
    MessageType{kAddMemReg, "ADD_MEM_REG", kRegion, kRegion, 1, 1, &H::add_mem_reg},
    MessageType{kRemMemReg, "REM_MEM_REG", kRegion, kRegion, 0, 1, &H::rem_mem_reg},
};

}  // namespace

const MessageType* find_message_type(uint32_t request) {
    const auto* found = std::find_if(
        kMessageTypes.begin(), kMessageTypes.end(),
        [&](const auto& type) { return static_cast<uint32_t>(type.request) == request; });
    return found != kMessageTypes.end() ? found : nullptr;
}

}  // namespace vrdma::vhost
