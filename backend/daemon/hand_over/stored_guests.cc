// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/hand_over/stored_guests.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <span>
#include <string>
#include <utility>

#include "daemon/hand_over/transfer.h"
#include "state/document.h"

namespace vrdma::daemon {
namespace {

const std::string kName = "vrdma-guests";

bool is_closed(const FileDescriptor& socket) {
    pollfd polled{.fd = socket.get(), .events = 0, .revents = 0};
    return ::poll(&polled, 1, 0) == 1 && (polled.revents & POLLHUP) != 0;
}

}  // namespace

bool store_guests(Server& server, const ServiceManager& manager, spdlog::logger& logger) {
    if (!manager.listens()) {
        return false;
    }
    // The kernel keeps what nobody has read yet, so that one file of the manager's stands for all
    // files, in their order and whatever their number.
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        logger.error("the guests cannot be stored: {}", to_string(Errno{errno}));
        return false;
    }
    const FileDescriptor writer(ends[0]);
    FileDescriptor reader(ends[1]);
    limit_waits(writer.get());
    bool refused = false;
    const auto given = server.hand_over(
        [&](const state::Daemon& daemon, std::span<const int> files) -> Result<void> {
            if (auto sent = send_state(writer.get(), state::encode(daemon), files); !sent) {
                return sent;
            }
            if (auto heard = manager.store(kName, std::move(reader)); !heard) {
                return heard;
            }
            refused = is_closed(writer);
            return refused ? fail(ENOSPC) : Result<void>();
        });
    if (refused) {
        logger.info(
            "the service manager keeps no guests, and they lose what they have: "
            "FileDescriptorStoreMax=1 in the unit keeps them for the next vrdmad");
    } else if (!given) {
        logger.error("the guests cannot be stored, and they lose what they have: {}",
                     to_string(given.error()));
    }
    return given.has_value();
}

FileDescriptor take_stored_guests(ServiceManager& manager) {
    return manager.take_stored(kName);
}

}  // namespace vrdma::daemon
