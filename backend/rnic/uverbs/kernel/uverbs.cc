// SPDX-License-Identifier: Apache-2.0
#include "rnic/uverbs/kernel/uverbs.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

namespace vrdma::uverbs {
namespace {

constexpr size_t kWord = 4;
constexpr size_t kExtendedWord = 8;
constexpr size_t kMaxWords = std::numeric_limits<uint16_t>::max();

uint64_t address_of(std::span<const std::byte> bytes) {
    return reinterpret_cast<uintptr_t>(bytes.data());
}

bool whole_words(size_t word, CommandUdata udata) {
    return udata.in.size() % word == 0 && udata.out.size() % word == 0;
}

void append(std::vector<std::byte>& to, std::span<const std::byte> bytes) {
    to.insert(to.end(), bytes.begin(), bytes.end());
}

template <typename T>
std::span<const std::byte> bytes_of(const T& value) {
    return std::as_bytes(std::span(&value, 1));
}

// Has the kernel write response and private bytes one after the other, and takes them apart.
Result<void> exchange(UverbsFile& file, std::span<const std::byte> command,
                      std::span<const std::byte> answer, std::span<std::byte> response,
                      std::span<std::byte> udata_out) {
    if (auto executed = file.execute(command); !executed) {
        return executed;
    }
    std::ranges::copy(answer.first(response.size()), response.begin());
    std::ranges::copy(answer.subspan(response.size()), udata_out.begin());
    return {};
}

}  // namespace

Result<void> execute_bytes(UverbsFile& file, ib_uverbs_write_cmds command,
                           std::span<const std::byte> request, std::span<std::byte> response,
                           CommandUdata udata) {
    const size_t in = sizeof(ib_uverbs_cmd_hdr) + request.size() + udata.in.size();
    const size_t out = response.size() + udata.out.size();
    if (!whole_words(kWord, udata) || std::max(in, out) / kWord > kMaxWords) {
        return fail(EINVAL);
    }
    std::vector<std::byte> answer(out);
    std::vector<std::byte> bytes;
    bytes.reserve(in);
    append(bytes, bytes_of(ib_uverbs_cmd_hdr{
                      .command = static_cast<uint32_t>(command),
                      .in_words = static_cast<uint16_t>(in / kWord),
                      .out_words = static_cast<uint16_t>(out / kWord),
                  }));
    append(bytes, request);
    append(bytes, udata.in);
    if (!response.empty()) {
        const uint64_t address = address_of(answer);
        std::memcpy(bytes.data() + sizeof(ib_uverbs_cmd_hdr), &address, sizeof(address));
    }
    return exchange(file, bytes, answer, response, udata.out);
}

Result<void> execute_extended_bytes(UverbsFile& file, unsigned command,
                                    std::span<const std::byte> request,
                                    std::span<std::byte> response, CommandUdata udata) {
    if (!whole_words(kExtendedWord, udata) ||
        std::max(udata.in.size(), udata.out.size()) / kExtendedWord > kMaxWords) {
        return fail(EINVAL);
    }
    std::vector<std::byte> answer(response.size() + udata.out.size());
    std::vector<std::byte> bytes;
    bytes.reserve(sizeof(ib_uverbs_cmd_hdr) + sizeof(ib_uverbs_ex_cmd_hdr) + request.size() +
                  udata.in.size());
    append(bytes, bytes_of(ib_uverbs_cmd_hdr{
                      .command = command | IB_USER_VERBS_CMD_FLAG_EXTENDED,
                      .in_words = static_cast<uint16_t>(request.size() / kExtendedWord),
                      .out_words = static_cast<uint16_t>(response.size() / kExtendedWord),
                  }));
    append(bytes, bytes_of(ib_uverbs_ex_cmd_hdr{
                      .response = address_of(answer),
                      .provider_in_words = static_cast<uint16_t>(udata.in.size() / kExtendedWord),
                      .provider_out_words = static_cast<uint16_t>(udata.out.size() / kExtendedWord),
                      .cmd_hdr_reserved = 0,
                  }));
    append(bytes, request);
    append(bytes, udata.in);
    return exchange(file, bytes, answer, response, udata.out);
}

}  // namespace vrdma::uverbs
