// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/kernel/uverbs.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "rnic/uverbs/kernel/adopted_uverbs_file.h"
#include "rnic/uverbs/kernel/kernel_file.h"

namespace vrdma::uverbs {
namespace {

constexpr size_t kBasicWord = 4;
constexpr size_t kExtendedWord = 8;
constexpr size_t kMaxWords = std::numeric_limits<uint16_t>::max();

using Bytes = std::vector<std::byte>;

uint64_t address_of(std::span<const std::byte> bytes) {
    return reinterpret_cast<uintptr_t>(bytes.data());
}

void append(Bytes& to, std::span<const std::byte> bytes) {
    to.insert(to.end(), bytes.begin(), bytes.end());
}

template <typename T>
void append(Bytes& to, const T& value) {
    append(to, std::as_bytes(std::span(&value, 1)));
}

bool fits(const UverbsCommand& command, CommandUdata udata) {
    const size_t word = command.is_extended() ? kExtendedWord : kBasicWord;
    size_t in = udata.in.size();
    size_t out = udata.out.size();
    if (!command.is_extended()) {
        in += sizeof(ib_uverbs_cmd_hdr) + command.request().size();
        out += command.response().size();
    }
    return udata.in.size() % word == 0 && udata.out.size() % word == 0 &&
           std::max(in, out) / word <= kMaxWords;
}

// The bytes that the kernel reads.  It writes the response to `answer`, and the driver's private
// bytes behind it.
Bytes plain(const UverbsCommand& command, CommandUdata udata, std::span<const std::byte> answer) {
    const size_t in = sizeof(ib_uverbs_cmd_hdr) + command.request().size() + udata.in.size();
    Bytes bytes;
    bytes.reserve(in);
    append(bytes, ib_uverbs_cmd_hdr{
                      .command = command.number(),
                      .in_words = static_cast<uint16_t>(in / kBasicWord),
                      .out_words = static_cast<uint16_t>(answer.size() / kBasicWord),
                  });
    append(bytes, command.request());
    append(bytes, udata.in);
    if (!command.response().empty()) {
        const uint64_t address = address_of(answer);
        std::memcpy(bytes.data() + sizeof(ib_uverbs_cmd_hdr), &address, sizeof(address));
    }
    return bytes;
}

// As plain(), for an extended command.
Bytes extended(const UverbsCommand& command, CommandUdata udata,
               std::span<const std::byte> answer) {
    const size_t request = command.request().size();
    const size_t response = command.response().size();
    Bytes bytes;
    bytes.reserve(sizeof(ib_uverbs_cmd_hdr) + sizeof(ib_uverbs_ex_cmd_hdr) + request +
                  udata.in.size());
    append(bytes, ib_uverbs_cmd_hdr{
                      .command = command.number(),
                      .in_words = static_cast<uint16_t>(request / kExtendedWord),
                      .out_words = static_cast<uint16_t>(response / kExtendedWord),
                  });
    append(bytes, ib_uverbs_ex_cmd_hdr{
                      .response = address_of(answer),
                      .provider_in_words = static_cast<uint16_t>(udata.in.size() / kExtendedWord),
                      .provider_out_words = static_cast<uint16_t>(udata.out.size() / kExtendedWord),
                      .cmd_hdr_reserved = 0,
                  });
    append(bytes, command.request());
    append(bytes, udata.in);
    return bytes;
}

}  // namespace

Result<std::unique_ptr<UverbsFile>> KernelUverbsDevice::open() {
    FileDescriptor fd(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
    if (!fd) {
        return fail(errno);
    }
    return std::make_unique<KernelFile<UverbsFile>>(std::move(fd));
}

Result<std::unique_ptr<UverbsFile>> KernelUverbsDevice::adopt(FileDescriptor fd) {
    struct stat device {};
    struct stat file {};
    if (::stat(path_.c_str(), &device) != 0) {
        return fail(errno);
    }
    if (::fstat(fd.get(), &file) != 0 || !S_ISCHR(file.st_mode) || file.st_rdev != device.st_rdev) {
        return fail(EBADF);
    }
    return std::make_unique<AdoptedUverbsFile>(std::move(fd), driver_id_);
}

Result<void> UverbsFile::execute_parts(const UverbsCommand& command, CommandUdata udata,
                                       std::span<std::byte> answer) {
    return execute(command.is_extended() ? extended(command, udata, answer)
                                         : plain(command, udata, answer));
}

Result<void> execute(UverbsFile& file, const UverbsCommand& command, CommandUdata udata) {
    if (!fits(command, udata)) {
        return fail(EINVAL);
    }
    const std::span<std::byte> response = command.response();
    Bytes answer(response.size() + udata.out.size());
    if (auto executed = file.execute_parts(command, udata, answer); !executed) {
        return executed;
    }
    std::copy_n(answer.begin(), response.size(), response.begin());
    std::copy(answer.begin() + static_cast<ptrdiff_t>(response.size()), answer.end(),
              udata.out.begin());
    return {};
}

}  // namespace vrdma::uverbs
