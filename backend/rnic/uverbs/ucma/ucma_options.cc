// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Options of ids: SET_OPTION.
#include <infiniband/sa.h>

#include <algorithm>
#include <cstddef>
#include <vector>

#include "rnic/uverbs/kernel/rdma_cm.h"
#include "rnic/uverbs/ucma/ucma_file.h"
#include "rnic/uverbs/ucma/ucma_port.h"

namespace vrdma::uverbs {
namespace {

size_t length_of_option(uint32_t name) {
    switch (name) {
        case RDMA_OPTION_ID_TOS:
        case RDMA_OPTION_ID_ACK_TIMEOUT:
            return sizeof(uint8_t);
        case RDMA_OPTION_ID_REUSEADDR:
        case RDMA_OPTION_ID_AFONLY:
            return sizeof(int);
        default:
            return 0;
    }
}

// librdmacm gives no more than the primary path, its reverse, and the alternatives of both.
constexpr size_t kMaxGivenPaths = 6;

}  // namespace

Result<void> UcmaFile::set_option(const rdma_ucm_set_option& request, Call& call) {
    const auto id = port_.find(*this, request.id);
    if (!id) {
        return fail(id.error());
    }
    if (call.rest.size() != request.optlen) {
        return fail(EINVAL);
    }
    switch (request.level) {
        case RDMA_OPTION_ID:
            return set_id_option(**id, request, call.rest);
        case RDMA_OPTION_IB:
            return request.optname == RDMA_OPTION_IB_PATH ? set_ib_path(**id, call.rest)
                                                          : fail(EOPNOTSUPP);
        default:
            return fail(EOPNOTSUPP);
    }
}

// `value` is a private copy.
Result<void> UcmaFile::set_kernel_option(uint32_t id, uint32_t level, uint32_t name,
                                         std::span<const std::byte> value) {
    rdma_ucm_set_option kernel{};
    kernel.optval = reinterpret_cast<uintptr_t>(value.data());
    kernel.id = id;
    kernel.level = level;
    kernel.optname = name;
    kernel.optlen = static_cast<uint32_t>(value.size());
    return uverbs::execute(*host_, RDMA_USER_CM_CMD_SET_OPTION, kernel);
}

Result<void> UcmaFile::set_id_option(UcmaId& id, const rdma_ucm_set_option& request,
                                     std::span<const std::byte> value) {
    const size_t length = length_of_option(request.optname);
    if (length == 0) {
        return fail(EOPNOTSUPP);
    }
    if (value.size() != length) {
        return fail(EINVAL);
    }
    if (auto set = set_kernel_option(id.kernel_id, RDMA_OPTION_ID, request.optname, value); !set) {
        return set;
    }
    if (request.optname == RDMA_OPTION_ID_AFONLY) {
        id.ipv6_only =
            std::ranges::any_of(value, [](std::byte byte) { return byte != std::byte{0}; });
    }
    id.options[request.optname].assign(value.begin(), value.end());
    return {};
}

// The path is the guest's.  Its ends are replaced, for the kernel would believe them.
Result<void> UcmaFile::set_ib_path(const UcmaId& id, std::span<const std::byte> value) {
    if (value.empty() || value.size() % sizeof(ib_path_rec_data) != 0 ||
        value.size() > kMaxGivenPaths * sizeof(ib_path_rec_data) || !id.underlay_remote) {
        return fail(EINVAL);
    }
    std::vector<ib_path_rec_data> paths(value.size() / sizeof(ib_path_rec_data));
    std::memcpy(paths.data(), value.data(), value.size());
    for (ib_path_rec_data& path : paths) {
        const auto record = std::as_writable_bytes(std::span(path.path_rec));
        std::ranges::copy(std::as_bytes(std::span(*id.underlay_remote)),
                          record.subspan(offsetof(ibv_path_record, dgid)).begin());
        std::ranges::copy(std::as_bytes(std::span(*id.underlay_local)),
                          record.subspan(offsetof(ibv_path_record, sgid)).begin());
    }
    return set_kernel_option(id.kernel_id, RDMA_OPTION_IB, RDMA_OPTION_IB_PATH,
                             std::as_bytes(std::span(paths)));
}

}  // namespace vrdma::uverbs
