// SPDX-License-Identifier: Apache-2.0
// Commands of the kernel's uverbs files (<rdma/ib_user_verbs.h>).
#pragma once

#include <rdma/ib_user_verbs.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "result.h"
#include "rnic/uverbs/kernel/uverbs_file.h"

namespace vrdma::uverbs {

// The driver's private bytes of a command, and room for those of the response.  Lengths
// are multiples of 4, in extended commands of 8.
struct CommandUdata {
    std::span<const std::byte> in{};
    std::span<std::byte> out{};
};

// As execute() below.  `request` begins with the address of the response, if there is one.
Result<void> execute_bytes(UverbsFile& file, ib_uverbs_write_cmds command,
                           std::span<const std::byte> request, std::span<std::byte> response,
                           CommandUdata udata);

// As execute_bytes(), an extended command.
Result<void> execute_extended_bytes(UverbsFile& file, unsigned command,
                                    std::span<const std::byte> request,
                                    std::span<std::byte> response, CommandUdata udata);

template <typename T>
concept CommandStruct = std::is_trivially_copyable_v<T> && sizeof(T) % 4 == 0;

// Has the kernel execute a command that answers with `Response`.
template <CommandStruct Request, CommandStruct Response>
Result<void> execute(UverbsFile& file, ib_uverbs_write_cmds command, const Request& request,
                     Response& response, CommandUdata udata = {}) {
    static_assert(offsetof(Request, response) == 0);
    return execute_bytes(file, command, std::as_bytes(std::span(&request, 1)),
                         std::as_writable_bytes(std::span(&response, 1)), udata);
}

// Has the kernel execute a command without an answer.
template <CommandStruct Request>
Result<void> execute(UverbsFile& file, ib_uverbs_write_cmds command, const Request& request,
                     CommandUdata udata = {}) {
    return execute_bytes(file, command, std::as_bytes(std::span(&request, 1)), {}, udata);
}

template <CommandStruct Request, CommandStruct Response>
Result<void> execute_extended(UverbsFile& file, unsigned command, const Request& request,
                              Response& response, CommandUdata udata = {}) {
    static_assert(sizeof(Request) % 8 == 0 && sizeof(Response) % 8 == 0);
    return execute_extended_bytes(file, command, std::as_bytes(std::span(&request, 1)),
                                  std::as_writable_bytes(std::span(&response, 1)), udata);
}

}  // namespace vrdma::uverbs
