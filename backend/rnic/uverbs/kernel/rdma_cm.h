// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The kernel's connection manager, /dev/infiniband/rdma_cm, and its commands
// (<rdma/rdma_user_cm.h>).
#pragma once

#include <rdma/rdma_user_cm.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <span>

#include "result.h"

namespace vrdma::state {
class FilesToSend;
class UverbsUcmaFile;
}  // namespace vrdma::state

namespace vrdma::uverbs {

// An open /dev/infiniband/rdma_cm.  Closing it ends all that was made through it.  Any thread.
class RdmaCmFile {
  public:
    virtual ~RdmaCmFile() = default;

    // Has the kernel execute one command: struct rdma_ucm_cmd_hdr and what follows it.
    // Errors: the kernel's.  EAGAIN when there is no event to get.
    virtual Result<void> execute(std::span<const std::byte> command) = 0;

    // The descriptor, which is readable when there is an event; borrowed.
    virtual int fd() const = 0;

    // Writes what a successor needs to go on with the file.  EOPNOTSUPP for a file that takes
    // commands from this process alone.
    virtual Result<void> save(state::UverbsUcmaFile&, state::FilesToSend&) const {
        return fail(EOPNOTSUPP);
    }
    // The file stays open when the object goes: another process has it as well.
    virtual void leave_open() {}
};

using OpenRdmaCm = std::function<Result<std::unique_ptr<RdmaCmFile>>()>;

// Opens this host's connection manager.  Errors: those of open(2).
Result<std::unique_ptr<RdmaCmFile>> open_kernel_rdma_cm();

// Has the kernel execute one command, RDMA_USER_CM_CMD_*.  `response` is how many bytes of room
// there are behind the request's pointer to the response.
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

// Has the kernel execute one command that answers with `Response`.
template <typename Response, typename Request>
Result<Response> ask(RdmaCmFile& file, uint32_t command, Request request) {
    Response response{};
    request.response = reinterpret_cast<uintptr_t>(&response);
    if (auto done = execute(file, command, request, sizeof(response)); !done) {
        return fail(done.error());
    }
    return response;
}

// The next event.  EAGAIN when there is none.
inline Result<rdma_ucm_event_resp> get_event(RdmaCmFile& file) {
    return ask<rdma_ucm_event_resp>(file, RDMA_USER_CM_CMD_GET_EVENT, rdma_ucm_get_event{});
}

}  // namespace vrdma::uverbs
