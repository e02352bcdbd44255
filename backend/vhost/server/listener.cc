// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vhost/server/listener.h"

#include <sys/epoll.h>
#include <sys/stat.h>

#include <cerrno>
#include <exception>
#include <utility>

namespace vrdma::vhost {

Listener::Listener(std::string path, const SocketAccess& access, Device& device,
                   std::shared_ptr<spdlog::logger> logger)
    : device_(device),
      logger_(std::move(logger)),
      access_(access),
      refusals_(logger_),
      socket_(std::move(path), access) {
    constexpr mode_t kOthers = S_IROTH | S_IWOTH;
    if (!socket_.gave_away() && !access_.group && (access_.mode & kOthers) != kOthers) {
        logger_->warn(
            "{}: the socket cannot be given to the user {} (CAP_CHOWN), who cannot reach it so; "
            "set socket_group, or socket_mode = 0o666, with which other users are turned away",
            this->path(), *access_.user);
    }
    loop_.add(socket_.fd(), EPOLLIN, [this](uint32_t) { accept(); });
}

void Listener::run() {
    loop_.run();
    connection_.reset();
    // Here and not in the destructor, since it takes a while: listeners end side by side.
    signaller_.reset();
}

void Listener::accept() {
    auto peer = socket_.accept();
    if (!peer) {
        if (peer.error() == Errno{EMFILE} || peer.error() == Errno{ENFILE}) {
            logger_->error("{}: a VMM is turned away: {}", path(), to_string(peer.error()));
        }
        return;
    }
    if (const auto why = why_refused(peer->get(), access_)) {
        refusals_.warn("{}: a VMM is turned away: {}", path(), *why);
        return;
    }
    if (connection_ != nullptr) {
        logger_->warn("{}: a second VMM is turned away while the first is connected", path());
        return;
    }
    logger_->info("{}: a VMM has connected", path());
    try {
        connection_ = std::make_unique<Connection>(std::move(*peer), device_, loop_, *signaller_,
                                                   logger_, [this] { connection_.reset(); });
    } catch (const std::exception& error) {
        logger_->error("{}: a VMM is turned away: {}", path(), error.what());
    }
}

}  // namespace vrdma::vhost
