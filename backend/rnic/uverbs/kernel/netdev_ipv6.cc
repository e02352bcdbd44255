// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/kernel/netdev_ipv6.h"

#include <libmnl/libmnl.h>
#include <linux/capability.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <optional>

#include "rnic/uverbs/kernel/netlink_socket.h"

namespace vrdma::uverbs {
namespace {

// Marks the addresses that a vrdmad added, so that they are known after the daemon was killed.
// Kernels before 5.18 ignore the mark.  The kernel's own values are small (linux/if_addr.h).
constexpr uint8_t kOurProtocol = 'v';

constexpr uint8_t kWholeAddress = 128;
constexpr uint32_t kForever = UINT32_MAX;  // INFINITY_LIFE_TIME of the kernel

// How often a list of addresses is read that changes while it is read.
constexpr int kReads = 16;

// A socket that hears of the groups' changes.
NetlinkSocket open_socket(unsigned groups = 0) {
    NetlinkSocket socket(::mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC));
    if (socket && ::mnl_socket_bind(socket.get(), groups, MNL_SOCKET_AUTOPID) < 0) {
        const int error = errno;
        socket.reset();
        errno = error;
    }
    return socket;
}

struct Message {
    explicit Message(uint16_t type, unsigned flags)
        : header(::mnl_nlmsg_put_header(buffer.data())),
          address(
              static_cast<ifaddrmsg*>(::mnl_nlmsg_put_extra_header(header, sizeof(ifaddrmsg)))) {
        header->nlmsg_type = type;
        header->nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
        header->nlmsg_seq = 1;
        address->ifa_family = AF_INET6;
    }

    alignas(NLMSG_ALIGNTO) std::array<char, 512> buffer{};
    nlmsghdr* header;
    ifaddrmsg* address;
};

// What a message tells of one address.
struct Told {
    uint32_t netdev = 0;
    std::optional<rnic::Gid> address;
    uint32_t flags = 0;
    uint8_t protocol = 0;
};

int read_address_attribute(const nlattr* attribute, void* data) {
    Told& told = *static_cast<Told*>(data);
    const uint16_t type = ::mnl_attr_get_type(attribute);
    const size_t size = ::mnl_attr_get_payload_len(attribute);
    // IFA_LOCAL is there only for a tunnel's own end, and is the address then.
    if ((type == IFA_ADDRESS && !told.address) || type == IFA_LOCAL) {
        if (size == sizeof(rnic::Gid)) {
            std::memcpy(told.address.emplace().data(), ::mnl_attr_get_payload(attribute), size);
        }
    } else if (type == IFA_FLAGS && size == sizeof(uint32_t)) {
        told.flags = ::mnl_attr_get_u32(attribute);
    } else if (type == IFA_PROTO && size == sizeof(uint8_t)) {
        told.protocol = ::mnl_attr_get_u8(attribute);
    }
    return MNL_CB_OK;
}

Told read_message(const nlmsghdr& message) {
    Told told;
    if (::mnl_nlmsg_get_payload_len(&message) < sizeof(ifaddrmsg)) {
        return told;
    }
    const auto& header = *static_cast<const ifaddrmsg*>(::mnl_nlmsg_get_payload(&message));
    told.netdev = header.ifa_index;
    told.flags = header.ifa_flags;
    ::mnl_attr_parse(&message, sizeof(ifaddrmsg), read_address_attribute, &told);
    return told;
}

// Sends a request and reads its answers.  Errors: the kernel's.
Result<void> exchange(Message& request, const std::function<void(const nlmsghdr&)>& on_message) {
    const NetlinkSocket socket = open_socket();
    if (!socket ||
        ::mnl_socket_sendto(socket.get(), request.header, request.header->nlmsg_len) < 0) {
        return fail(errno);
    }
    const auto callback = [](const nlmsghdr* message, void* data) {
        (*static_cast<const std::function<void(const nlmsghdr&)>*>(data))(*message);
        return MNL_CB_OK;
    };
    const unsigned port = ::mnl_socket_get_portid(socket.get());
    int more = MNL_CB_OK;
    while (more == MNL_CB_OK) {
        std::array<char, 32768> answer;
        const ssize_t size = ::mnl_socket_recvfrom(socket.get(), answer.data(), answer.size());
        if (size < 0) {
            return fail(errno);
        }
        more =
            ::mnl_cb_run(answer.data(), static_cast<size_t>(size), request.header->nlmsg_seq, port,
                         callback, const_cast<std::function<void(const nlmsghdr&)>*>(&on_message));
    }
    return more < 0 ? Result<void>(fail(errno)) : Result<void>();
}

void ignore(const nlmsghdr&) {}

class KernelNetdevIpv6 final : public NetdevIpv6 {
  public:
    explicit KernelNetdevIpv6(std::string netdev) : netdev_(std::move(netdev)) {}

    Result<Added> add(const rnic::Gid& address) override {
        Message request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK);
        request.address->ifa_prefixlen = kWholeAddress;
        request.address->ifa_index = ::if_nametoindex(netdev_.c_str());
        ::mnl_attr_put(request.header, IFA_LOCAL, address.size(), address.data());
        ::mnl_attr_put(request.header, IFA_ADDRESS, address.size(), address.data());
        // A deprecated address is none that the host's own programs send from (RFC 6724, rule 3),
        // and who binds to it can use it all the same.
        const ifa_cacheinfo lifetimes{
            .ifa_prefered = 0, .ifa_valid = kForever, .cstamp = 0, .tstamp = 0};
        ::mnl_attr_put(request.header, IFA_CACHEINFO, sizeof(lifetimes), &lifetimes);
        ::mnl_attr_put_u32(request.header, IFA_FLAGS, IFA_F_NOPREFIXROUTE);
        ::mnl_attr_put_u8(request.header, IFA_PROTO, kOurProtocol);
        const auto added = exchange(request, ignore);
        if (!added && added.error() == Errno{EEXIST}) {
            const auto there = find(address);
            return Added{.ours = there && there->protocol == kOurProtocol};
        }
        return added ? Result<Added>(Added{}) : fail(added.error());
    }

    State settled(const rnic::Gid& address, std::chrono::milliseconds limit) override {
        // The socket is there before the first look, so that no change is missed.
        const NetlinkSocket changes = open_socket(1U << (RTNLGRP_IPV6_IFADDR - 1));
        const auto deadline = std::chrono::steady_clock::now() + limit;
        for (;;) {
            const State state = state_of(address);
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(
                deadline - std::chrono::steady_clock::now());
            if (state != State::kTentative || !changes || left.count() <= 0) {
                return state;
            }
            pollfd file{.fd = ::mnl_socket_get_fd(changes.get()), .events = POLLIN, .revents = 0};
            if (::poll(&file, 1, static_cast<int>(left.count())) > 0) {
                std::array<char, 32768> ignored;
                (void)::recv(file.fd, ignored.data(), ignored.size(), MSG_DONTWAIT);
            }
        }
    }

    void remove(const rnic::Gid& address) override {
        Message request(RTM_DELADDR, NLM_F_ACK);
        request.address->ifa_prefixlen = kWholeAddress;
        request.address->ifa_index = ::if_nametoindex(netdev_.c_str());
        ::mnl_attr_put(request.header, IFA_LOCAL, address.size(), address.data());
        (void)exchange(request, ignore);  // the address may be gone with the netdev
    }

  private:
    std::optional<Told> find(const rnic::Gid& address) {
        std::optional<Told> found;
        const uint32_t index = ::if_nametoindex(netdev_.c_str());
        for (int reads = 0; reads < kReads; ++reads) {
            found.reset();
            Message request(RTM_GETADDR, NLM_F_DUMP);
            const auto whole = exchange(request, [&](const nlmsghdr& message) {
                const Told told = read_message(message);
                if (told.netdev == index && told.address == address) {
                    found = told;
                }
            });
            // libmnl says EINTR for NLM_F_DUMP_INTR: the list has changed while it was read.
            if (whole || whole.error() != Errno{EINTR}) {
                break;
            }
        }
        return found;
    }

    State state_of(const rnic::Gid& address) {
        const auto told = find(address);
        if (!told) {
            return State::kAbsent;
        }
        if ((told->flags & IFA_F_DADFAILED) != 0) {
            return State::kDuplicate;
        }
        return (told->flags & IFA_F_TENTATIVE) != 0 ? State::kTentative : State::kReady;
    }

    const std::string netdev_;
};

}  // namespace

std::unique_ptr<NetdevIpv6> make_netdev_ipv6(std::string netdev) {
    return std::make_unique<KernelNetdevIpv6>(std::move(netdev));
}

bool may_add_addresses() {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
    return ::syscall(SYS_capget, &header, sets.data()) == 0 &&
           (sets[CAP_TO_INDEX(CAP_NET_ADMIN)].effective & CAP_TO_MASK(CAP_NET_ADMIN)) != 0;
}

}  // namespace vrdma::uverbs
