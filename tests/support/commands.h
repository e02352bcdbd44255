// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Commands as a guest's driver makes them.
#pragma once

#include <endian.h>
#include <vrdma_command_table.h>
#include <vrdma_commands.h>

#include <array>
#include <cstdint>
#include <cstring>

namespace vrdma::test {

// The sizes of each command's request and response.
struct CommandShape {
    uint16_t opcode;
    uint32_t request;
    uint32_t response;
};
inline constexpr std::array kCommandShapes = {
#define VRDMA_SHAPE(NAME, name, opcode, request, response, feature, flags) \
    CommandShape{VRDMA_CMD_##NAME, sizeof(request), sizeof(response)},
    VRDMA_COMMANDS(VRDMA_SHAPE)
#undef VRDMA_SHAPE
};

// A request with its header; the rest is zeros.
template <typename Request>
Request make_command(uint16_t opcode, uint32_t uctx = VRDMA_NO_HANDLE) {
    Request request{};
    const vrdma_cmd_hdr header{.opcode = htole16(opcode),
                               .region_count = 0,
                               .length = htole32(sizeof(Request)),
                               .uctx = htole32(uctx),
                               .udata_in_len = 0,
                               .udata_out_len = 0};
    std::memcpy(&request, &header, sizeof(header));
    return request;
}

}  // namespace vrdma::test
