// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rdma/rdma_user_cm.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "rnic/uverbs/kernel/rdma_cm_file.h"

namespace vrdma::uverbs {

// Has the kernel execute one command; `response` is the room behind the request's pointer.
template <typename Request>
Result<void> execute(RdmaCmFile& file, uint32_t command, const Request& request,
                     size_t response = 0) {
    std::array<std::byte, sizeof(rdma_ucm_cmd_hdr) + sizeof(Request)> bytes;
    const rdma_ucm_cmd_hdr header{
        .cmd = command, .in = sizeof(Request), .out = static_cast<uint16_t>(response)};
    std::memcpy(bytes.data(), &header, sizeof(header));
    std::memcpy(bytes.data() + sizeof(header), &request, sizeof(request));
    return file.execute(bytes);
}

// One with a response.
template <typename Response, typename Request>
Result<Response> ask(RdmaCmFile& file, uint32_t command, Request request) {
    Response response{};
    request.response = reinterpret_cast<uintptr_t>(&response);
    if (auto done = execute(file, command, request, sizeof(response)); !done) {
        return fail(done.error());
    }
    return response;
}

}  // namespace vrdma::uverbs
