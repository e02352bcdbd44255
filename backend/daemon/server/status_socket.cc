// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/server/status_socket.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <system_error>
#include <utility>

namespace vrdma::daemon {
namespace {

// The document names the virtual machines and their sockets, which only the operator may see.
constexpr mode_t kMode = 0600;

}  // namespace

StatusSocket::StatusSocket(const std::filesystem::path& path, std::function<std::string()> document,
                           std::shared_ptr<spdlog::logger> logger)
    : document_(std::move(document)),
      logger_(std::move(logger)),
      socket_(path.string(), {.mode = kMode}),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
    if (!stop_) {
        throw std::system_error(errno, std::generic_category(), "status socket");
    }
    thread_ = std::thread([this] { run(); });
}

StatusSocket::~StatusSocket() {
    ::eventfd_write(stop_.get(), 1);
    thread_.join();
}

void StatusSocket::run() {
    pollfd polled[2] = {{socket_.fd(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    while (::poll(polled, 2, -1) >= 0 || errno == EINTR) {
        if (polled[1].revents != 0) {
            return;
        }
        const auto client = socket_.accept();
        if (client) {
            answer(*client);
        } else if (client.error() != Errno{EAGAIN}) {
            logger_->error("status: a client is turned away: {}", to_string(client.error()));
        }
    }
}

void StatusSocket::answer(const FileDescriptor& client) {
    // A client that does not read must not keep the others waiting for long.
    const timeval patience{.tv_sec = 1, .tv_usec = 0};
    ::setsockopt(client.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    std::string document;
    try {
        document = document_();
    } catch (const std::exception& error) {
        logger_->error("status: there is none: {}", error.what());
        return;
    }
    size_t sent = 0;
    while (sent < document.size()) {
        const ssize_t count =
            ::send(client.get(), document.data() + sent, document.size() - sent, MSG_NOSIGNAL);
        if (count <= 0) {
            logger_->debug("status: a client left early: {}", std::strerror(errno));
            return;
        }
        sent += static_cast<size_t>(count);
    }
}

}  // namespace vrdma::daemon
