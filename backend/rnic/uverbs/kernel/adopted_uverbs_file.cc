// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/kernel/adopted_uverbs_file.h"

#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <sys/ioctl.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace vrdma::uverbs {
namespace {

// The attributes of one call.
class Call {
  public:
    // The kernel reads up to eight bytes from the attribute itself (uverbs_attr_ptr_is_inline()).
    void in(uint16_t id, std::span<const std::byte> bytes) {
        if (bytes.empty()) {
            return;
        }
        ib_uverbs_attr& attribute = add(id, bytes.size());
        if (bytes.size() <= sizeof(attribute.data)) {
            std::memcpy(&attribute.data, bytes.data(), bytes.size());
        } else {
            attribute.data = reinterpret_cast<uintptr_t>(bytes.data());
        }
    }
    void out(uint16_t id, std::span<std::byte> bytes) {
        if (!bytes.empty()) {
            add(id, bytes.size()).data = reinterpret_cast<uintptr_t>(bytes.data());
        }
    }

    Result<void> on(int fd, uint32_t driver_id) const {
        ib_uverbs_ioctl_hdr header{};
        header.object_id = UVERBS_OBJECT_DEVICE;
        header.method_id = UVERBS_METHOD_INVOKE_WRITE;
        header.driver_id = driver_id;
        header.num_attrs = count_;
        header.length = static_cast<uint16_t>(sizeof(header) + count_ * sizeof(ib_uverbs_attr));
        // The attributes follow the header.
        std::array<std::byte, sizeof(header) + sizeof(attributes_)> bytes;
        std::memcpy(bytes.data(), &header, sizeof(header));
        std::memcpy(bytes.data() + sizeof(header), attributes_.data(), sizeof(attributes_));
        if (::ioctl(fd, RDMA_VERBS_IOCTL, bytes.data()) < 0) {
            return fail(errno);
        }
        return {};
    }

  private:
    ib_uverbs_attr& add(uint16_t id, size_t length) {
        ib_uverbs_attr& attribute = attributes_.at(count_++);
        attribute.attr_id = id;
        attribute.len = static_cast<uint16_t>(length);
        attribute.flags = UVERBS_ATTR_F_MANDATORY;
        return attribute;
    }

    std::array<ib_uverbs_attr, 5> attributes_{};
    uint16_t count_ = 0;
};

}  // namespace

Result<void> AdoptedUverbsFile::invoke(const Parts& parts) {
    const uint64_t number = parts.number;
    Call call;
    call.in(UVERBS_ATTR_WRITE_CMD, std::as_bytes(std::span(&number, 1)));
    call.in(UVERBS_ATTR_CORE_IN, parts.request);
    call.out(UVERBS_ATTR_CORE_OUT, parts.response);
    call.in(UVERBS_ATTR_UHW_IN, parts.udata_in);
    call.out(UVERBS_ATTR_UHW_OUT, parts.udata_out);
    return call.on(fd_.get(), driver_id_);
}

Result<void> AdoptedUverbsFile::execute(std::span<const std::byte> command) {
    ib_uverbs_cmd_hdr header;
    if (command.size() < sizeof(header)) {
        return fail(EINVAL);
    }
    std::memcpy(&header, command.data(), sizeof(header));
    const std::span<const std::byte> request = command.subspan(sizeof(header));
    if ((header.command & IB_USER_VERBS_CMD_FLAG_EXTENDED) != 0) {
        return fail(EINVAL);
    }
    const size_t answer = header.out_words * size_t{4};
    uint64_t response = 0;
    if (answer != 0) {
        if (request.size() < sizeof(response)) {
            return fail(EINVAL);
        }
        std::memcpy(&response, request.data(), sizeof(response));
    }
    return invoke({.number = header.command,
                   .request = request,
                   .response = {reinterpret_cast<std::byte*>(response), answer},
                   .udata_in = {},
                   .udata_out = {}});
}

Result<void> AdoptedUverbsFile::execute_parts(const UverbsCommand& command, CommandUdata udata,
                                              std::span<std::byte> answer) {
    const size_t response = command.response().size();
    return invoke({.number = command.number(),
                   .request = command.request(),
                   .response = answer.first(response),
                   .udata_in = udata.in,
                   .udata_out = answer.subspan(response)});
}

}  // namespace vrdma::uverbs
