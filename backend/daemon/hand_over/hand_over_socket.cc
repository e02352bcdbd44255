// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/hand_over/hand_over_socket.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <span>
#include <system_error>
#include <utility>

#include "daemon/hand_over/transfer.h"
#include "state/document.h"

namespace vrdma::daemon {
namespace {

constexpr mode_t kMode = 0600;

bool is_trusted(const FileDescriptor& peer) {
    ucred credentials{};
    socklen_t length = sizeof(credentials);
    return ::getsockopt(peer.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0 &&
           (credentials.uid == 0 || credentials.uid == ::geteuid());
}

}  // namespace

std::filesystem::path hand_over_path(const std::filesystem::path& control_socket) {
    return control_socket.string() + ".hand-over";
}

HandOverSocket::HandOverSocket(const std::filesystem::path& path, Server& server,
                               std::shared_ptr<spdlog::logger> logger)
    : server_(server),
      logger_(std::move(logger)),
      socket_(path.string(), {.mode = kMode}),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
    if (!stop_) {
        throw std::system_error(errno, std::generic_category(), "hand-over socket");
    }
    thread_ = std::thread([this] { run(); });
}

HandOverSocket::~HandOverSocket() {
    ::eventfd_write(stop_.get(), 1);
    thread_.join();
}

void HandOverSocket::run() {
    pollfd polled[2] = {{socket_.fd(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    while (::poll(polled, 2, -1) >= 0 || errno == EINTR) {
        if (polled[1].revents != 0) {
            return;
        }
        if (const auto successor = socket_.accept(); successor && is_trusted(*successor)) {
            give(*successor);
        }
    }
}

// The successor has the guests from the moment on in which it says so, or this process is gone.
void HandOverSocket::give(const FileDescriptor& successor) {
    limit_waits(successor.get());
    bool looked_at = false;
    const auto given = server_.hand_over(
        [&](const state::Daemon& daemon, std::span<const int> files) -> Result<void> {
            if (auto sent = send_state(successor.get(), state::encode(daemon), files); !sent) {
                return sent;
            }
            const auto answer = wait_for_answer(successor.get());
            if (!answer) {
                return fail(answer.error());
            }
            looked_at = *answer == Answer::kLookedAt;
            return looked_at ? fail(ECANCELED) : Result<void>();
        });
    if (looked_at) {
        logger_->info("another vrdmad has seen that it can take the guests over; they go on here");
    } else if (!given) {
        logger_->error("the guests have not been handed over: {}; they go on here",
                       to_string(given.error()));
    } else {
        logger_->info("the successor has the guests; this vrdmad ends");
        logger_->flush();
        // Nothing is to be freed: all of it is the successor's.
        std::_Exit(EXIT_SUCCESS);
    }
}

}  // namespace vrdma::daemon
