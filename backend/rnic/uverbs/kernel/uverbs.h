// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The kernel's uverbs files and their commands (<rdma/ib_user_verbs.h>).
#pragma once

#include <rdma/ib_user_verbs.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

#include "file_descriptor.h"
#include "result.h"

namespace vrdma::uverbs {

class UverbsCommand;
struct CommandUdata;

// An open uverbs file: one user context of an RNIC's kernel driver.  Closing it releases all
// that was made through it.
class UverbsFile {
  public:
    virtual ~UverbsFile() = default;

    // Has the kernel execute one command: struct ib_uverbs_cmd_hdr and all that follows it.
    // The response goes to the address that the command names.  Errors: the kernel's.
    virtual Result<void> execute(std::span<const std::byte> command) = 0;

    // As the function execute() below, whose checks are done.  The response goes to the beginning
    // of `answer`, and the driver's private bytes behind it.
    virtual Result<void> execute_parts(const UverbsCommand& command, CommandUdata udata,
                                       std::span<std::byte> answer);

    // The descriptor, for mmap; borrowed.
    virtual int fd() const = 0;
};

// The uverbs device of an RNIC.
class UverbsDevice {
  public:
    virtual ~UverbsDevice() = default;
    // Errors: those of open(2).
    virtual Result<std::unique_ptr<UverbsFile>> open() = 0;

    // A file that another process opened.  EBADF for one that is none of this device.
    virtual Result<std::unique_ptr<UverbsFile>> adopt(FileDescriptor fd) = 0;
};

// /dev/infiniband/uverbsN of this host.
class KernelUverbsDevice final : public UverbsDevice {
  public:
    // `driver_id` is the driver's, enum rdma_driver_id.
    KernelUverbsDevice(std::filesystem::path path, uint32_t driver_id)
        : path_(std::move(path)), driver_id_(driver_id) {}
    Result<std::unique_ptr<UverbsFile>> open() override;
    Result<std::unique_ptr<UverbsFile>> adopt(FileDescriptor fd) override;

  private:
    const std::filesystem::path path_;
    const uint32_t driver_id_;
};

template <typename T>
concept CommandStruct = std::is_trivially_copyable_v<T> && sizeof(T) % 4 == 0;

// One command of a uverbs file.  Refers to the kernel's structures for it, which must outlive it.
class UverbsCommand {
  public:
    // A command that answers with `Response`.
    template <CommandStruct Request, CommandStruct Response>
    UverbsCommand(ib_uverbs_write_cmds number, const Request& request, Response& response)
        : UverbsCommand(number, bytes_of(request), writable_bytes_of(response)) {
        static_assert(offsetof(Request, response) == 0);
    }

    // A command without an answer.
    template <CommandStruct Request>
    UverbsCommand(ib_uverbs_write_cmds number, const Request& request)
        : UverbsCommand(number, bytes_of(request), {}) {}

    // An extended command, IB_USER_VERBS_EX_CMD_*.
    template <CommandStruct Request, CommandStruct Response>
    static UverbsCommand extended(unsigned number, const Request& request, Response& response) {
        static_assert(sizeof(Request) % 8 == 0 && sizeof(Response) % 8 == 0);
        return {number | IB_USER_VERBS_CMD_FLAG_EXTENDED, bytes_of(request),
                writable_bytes_of(response)};
    }

    bool is_extended() const { return (number_ & IB_USER_VERBS_CMD_FLAG_EXTENDED) != 0; }
    uint32_t number() const { return number_; }  // with IB_USER_VERBS_CMD_FLAG_EXTENDED

    // Begins with the address of the response if the command has one and is not extended.
    std::span<const std::byte> request() const { return request_; }
    std::span<std::byte> response() const { return response_; }

  private:
    UverbsCommand(uint32_t number, std::span<const std::byte> request,
                  std::span<std::byte> response)
        : number_(number), request_(request), response_(response) {}

    template <typename T>
    static std::span<const std::byte> bytes_of(const T& value) {
        return std::as_bytes(std::span(&value, 1));
    }
    template <typename T>
    static std::span<std::byte> writable_bytes_of(T& value) {
        return std::as_writable_bytes(std::span(&value, 1));
    }

    uint32_t number_;
    std::span<const std::byte> request_;
    std::span<std::byte> response_;
};

// The driver's private bytes of a command, and room for those of the response.  Lengths are
// multiples of 4, in extended commands of 8.
struct CommandUdata {
    std::span<const std::byte> in{};
    std::span<std::byte> out{};
};

// Has the kernel execute a command.  Errors: EINVAL for private bytes of other lengths, and the
// kernel's; the response and `udata.out` are left alone then.
Result<void> execute(UverbsFile& file, const UverbsCommand& command, CommandUdata udata = {});

}  // namespace vrdma::uverbs
