// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/kernel/removal_watch.h"

#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace vrdma::uverbs {
namespace {

// The kernel itself sends to this multicast group; udev sends to another one.
constexpr uint32_t kKernelGroup = 1;

// Room for UEVENT_BUFFER_SIZE (linux/kobject.h) and the header line before it.
constexpr size_t kMessageSize = 8192;

FileDescriptor listen_to_kernel() {
    FileDescriptor socket(
        ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT));
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = kKernelGroup;
    if (!socket ||
        ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
        throw std::system_error(errno, std::generic_category(),
                                "listening to the kernel's device events");
    }
    return socket;
}

// The value of KEY in "KEY=value\0KEY=value\0...".
std::string_view property(std::string_view message, std::string_view key) {
    while (!message.empty()) {
        const std::string_view entry = message.substr(0, message.find('\0'));
        if (entry.size() > key.size() && entry.starts_with(key) && entry[key.size()] == '=') {
            return entry.substr(key.size() + 1);
        }
        message.remove_prefix(std::min(entry.size() + 1, message.size()));
    }
    return {};
}

}  // namespace

RemovalWatch::RemovalWatch(std::string uverbs_name, const std::filesystem::path& sysfs)
    : uverbs_name_(std::move(uverbs_name)),
      device_(sysfs / "class/infiniband_verbs" / uverbs_name_),
      socket_(listen_to_kernel()) {
    // If the RNIC was removed before the socket listened, nobody will tell it any more.
    removed_ = !std::filesystem::exists(device_);
}

bool RemovalWatch::tells_removal(std::span<const char> message, std::string_view uverbs_name) {
    const std::string_view text(message.data(), message.size());
    // DEVPATH ends with the device's name, wherever in the tree the device is.
    const std::string_view path = property(text, "DEVPATH");
    const std::string_view name = path.substr(path.rfind('/') + 1);
    // A message with SYNTH_UUID was made by a write to the device's uevent file (udevadm trigger):
    // nothing has happened to the device.
    return property(text, "ACTION") == "remove" &&
           property(text, "SUBSYSTEM") == "infiniband_verbs" && name == uverbs_name &&
           property(text, "SYNTH_UUID").empty();
}

bool RemovalWatch::removed() {
    for (;;) {
        std::array<char, kMessageSize> message;
        sockaddr_nl sender{};
        socklen_t sender_size = sizeof(sender);
        const ssize_t size = ::recvfrom(socket_.get(), message.data(), message.size(), 0,
                                        reinterpret_cast<sockaddr*>(&sender), &sender_size);
        if (size < 0) {
            if (errno == EINTR) continue;
            if (errno == ENOBUFS) {
                // Messages were lost, perhaps the one that tells of the removal.
                removed_ = removed_ || !std::filesystem::exists(device_);
                continue;
            }
            return removed_;
        }
        // Processes can send to this socket too.  Port 0 is the kernel's alone.
        if (sender_size == sizeof(sender) && sender.nl_pid == 0 &&
            tells_removal({message.data(), static_cast<size_t>(size)}, uverbs_name_)) {
            removed_ = true;
        }
    }
}

}  // namespace vrdma::uverbs
