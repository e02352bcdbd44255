// SPDX-License-Identifier: Apache-2.0
#include "daemon/status_socket.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace vrdma::daemon {

StatusSocket::StatusSocket(std::filesystem::path path, std::function<std::string()> document,
                           std::shared_ptr<spdlog::logger> logger)
    : path_(std::move(path)),
      document_(std::move(document)),
      logger_(std::move(logger)),
      socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path_.string().size() >= sizeof(address.sun_path)) {
        throw std::system_error(ENAMETOOLONG, std::generic_category(), path_.string());
    }
    std::strcpy(address.sun_path, path_.c_str());
    // Left behind by a daemon that was killed.
    if (std::filesystem::is_socket(path_)) {
        std::filesystem::remove(path_);
    }
    if (!socket_ || !stop_ ||
        ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
        ::listen(socket_.get(), SOMAXCONN) != 0) {
        throw std::system_error(errno, std::generic_category(),
                                fmt::format("status socket {}", path_.string()));
    }
    thread_ = std::thread([this] { run(); });
}

StatusSocket::~StatusSocket() {
    ::eventfd_write(stop_.get(), 1);
    thread_.join();
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
}

void StatusSocket::run() {
    pollfd polled[2] = {{socket_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    while (::poll(polled, 2, -1) >= 0 || errno == EINTR) {
        if (polled[1].revents != 0) {
            return;
        }
        const FileDescriptor client(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!client) {
            continue;
        }
        // A client that does not read must not keep the others waiting for long.
        const timeval patience{.tv_sec = 1, .tv_usec = 0};
        ::setsockopt(client.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        const std::string document = document_();
        size_t sent = 0;
        while (sent < document.size()) {
            const ssize_t count =
                ::send(client.get(), document.data() + sent, document.size() - sent, MSG_NOSIGNAL);
            if (count <= 0) {
                logger_->debug("status: a client left early: {}", std::strerror(errno));
                break;
            }
            sent += static_cast<size_t>(count);
        }
    }
}

}  // namespace vrdma::daemon
