// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/kernel/rdma_netlink.h"

#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <rdma/rdma_netlink.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>

#include "rnic/uverbs/kernel/host_rnic.h"
#include "rnic/uverbs/kernel/netlink_socket.h"

namespace vrdma::uverbs {
namespace {

using OnMessage = std::function<void(const nlmsghdr&)>;

[[noreturn]] void fail_errno(const std::string& what) {
    throw HostRnicError(fmt::format("{}: {}", what, std::strerror(errno)));
}

// One request and its answers.
class Request {
  public:
    Request(unsigned command, unsigned flags) : header_(::mnl_nlmsg_put_header(buffer_.data())) {
        header_->nlmsg_type = static_cast<uint16_t>(RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, command));
        header_->nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
        header_->nlmsg_seq = 1;
    }

    nlmsghdr* header() { return header_; }

    void exchange(const OnMessage& on_message) {
        const NetlinkSocket socket(::mnl_socket_open2(NETLINK_RDMA, SOCK_CLOEXEC));
        if (!socket || ::mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0) {
            fail_errno("no netlink to the kernel's RDMA core; load the module ib_core");
        }
        if (::mnl_socket_sendto(socket.get(), header_, header_->nlmsg_len) < 0) {
            fail_errno("asking the kernel's RDMA core");
        }
        const auto callback = [](const nlmsghdr* message, void* data) {
            (*static_cast<const OnMessage*>(data))(*message);
            return MNL_CB_OK;
        };
        const unsigned port = ::mnl_socket_get_portid(socket.get());
        // A dump ends with NLMSG_DONE; a single answer has no NLM_F_MULTI.
        int more = MNL_CB_OK;
        while (more == MNL_CB_OK) {
            std::array<char, 16384> answer;
            const ssize_t size = ::mnl_socket_recvfrom(socket.get(), answer.data(), answer.size());
            if (size < 0) {
                fail_errno("the answer of the kernel's RDMA core");
            }
            more = ::mnl_cb_run(answer.data(), static_cast<size_t>(size), header_->nlmsg_seq, port,
                                callback, const_cast<OnMessage*>(&on_message));
            if (more < 0) {
                fail_errno("the kernel's RDMA core");
            }
            if ((header_->nlmsg_flags & NLM_F_DUMP) == 0) break;
        }
    }

  private:
    alignas(NLMSG_ALIGNTO) std::array<char, 256> buffer_{};
    nlmsghdr* header_;
};

// The attributes that concern vrdma, as far as a message has them.  Others are skipped.
struct Attributes {
    std::optional<std::string> name;
    std::optional<uint32_t> index;
    std::optional<uint32_t> driver_id;
    std::optional<std::string> netdev;
};

int read_rdma_attribute(const nlattr* attribute, void* data) {
    Attributes& attributes = *static_cast<Attributes*>(data);
    const auto is = [&](uint16_t type, mnl_attr_data_type data_type) {
        return ::mnl_attr_get_type(attribute) == type &&
               ::mnl_attr_validate(attribute, data_type) == 0;
    };
    if (is(RDMA_NLDEV_ATTR_DEV_NAME, MNL_TYPE_NUL_STRING)) {
        attributes.name = ::mnl_attr_get_str(attribute);
    } else if (is(RDMA_NLDEV_ATTR_DEV_INDEX, MNL_TYPE_U32)) {
        attributes.index = ::mnl_attr_get_u32(attribute);
    } else if (is(RDMA_NLDEV_ATTR_UVERBS_DRIVER_ID, MNL_TYPE_U32)) {
        attributes.driver_id = ::mnl_attr_get_u32(attribute);
    } else if (is(RDMA_NLDEV_ATTR_NDEV_NAME, MNL_TYPE_NUL_STRING)) {
        attributes.netdev = ::mnl_attr_get_str(attribute);
    }
    return MNL_CB_OK;
}

// RDMA messages have no header of their own before the attributes.
Attributes attributes_of(const nlmsghdr& message) {
    Attributes attributes;
    ::mnl_attr_parse(&message, 0, read_rdma_attribute, &attributes);
    return attributes;
}

uint32_t device_index(const std::string& name) {
    std::optional<uint32_t> index;
    Request request(RDMA_NLDEV_CMD_GET, NLM_F_DUMP);
    request.exchange([&](const nlmsghdr& message) {
        const Attributes attributes = attributes_of(message);
        if (attributes.name == name) {
            index = attributes.index;
        }
    });
    if (!index) {
        throw HostRnicError(fmt::format(
            "the kernel's RDMA core does not know the RNIC '{}' in this network namespace", name));
    }
    return *index;
}

}  // namespace

std::string query_netdev(const std::string& name, uint32_t port) {
    std::string netdev;
    const uint32_t index = device_index(name);
    Request request(RDMA_NLDEV_CMD_PORT_GET, 0);
    ::mnl_attr_put_u32(request.header(), RDMA_NLDEV_ATTR_DEV_INDEX, index);
    ::mnl_attr_put_u32(request.header(), RDMA_NLDEV_ATTR_PORT_INDEX, port);
    request.exchange(
        [&](const nlmsghdr& message) { netdev = attributes_of(message).netdev.value_or(""); });
    return netdev;
}

uint32_t query_driver_id(const std::string& name) {
    const uint32_t index = device_index(name);
    std::optional<uint32_t> driver_id;
    Request request(RDMA_NLDEV_CMD_GET_CHARDEV, 0);
    ::mnl_attr_put_u32(request.header(), RDMA_NLDEV_ATTR_DEV_INDEX, index);
    ::mnl_attr_put_strz(request.header(), RDMA_NLDEV_ATTR_CHARDEV_TYPE, "uverbs");
    request.exchange(
        [&](const nlmsghdr& message) { driver_id = attributes_of(message).driver_id; });
    if (!driver_id) {
        throw HostRnicError(
            fmt::format("the kernel does not tell the driver id of the RNIC '{}', so that nothing "
                        "is known about its user library",
                        name));
    }
    return *driver_id;
}

}  // namespace vrdma::uverbs
