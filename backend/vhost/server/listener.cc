// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vhost/server/listener.h"

#include <sys/epoll.h>
#include <sys/stat.h>

#include <cerrno>
#include <exception>
#include <utility>

#include "rate_limited_logger.h"

namespace vrdma::vhost {

Listener::Listener(std::shared_ptr<ListeningSocket> socket, const SocketAccess& access,
                   Device& device, const std::shared_ptr<spdlog::logger>& logger,
                   std::shared_ptr<RegionMapper> memory, std::shared_ptr<Receiver> receiver)
    : device_(device),
      machine_{.logger = rate_limited(*logger, logger->name()),
               .memory = std::move(memory),
               .receiver = std::move(receiver)},
      access_(access),
      socket_(std::move(socket)) {
    constexpr mode_t kOthers = S_IROTH | S_IWOTH;
    if (!socket_->gave_away() && !access_.group && (access_.mode & kOthers) != kOthers) {
        machine_.logger->warn(
            "{}: the socket cannot be given to the user {} (CAP_CHOWN), who cannot reach it so; "
            "set socket_group, or socket_mode = 0o666, with which other users are turned away",
            this->path(), *access_.user);
    }
    loop_.add(socket_->fd(), EPOLLIN, [this](uint32_t) { accept(); });
}

void Listener::run() {
    loop_.run();
    connection_.reset();
    // Here and not in the destructor, since it takes a while: listeners end side by side.
    signaller_.reset();
}

void Listener::accept() {
    auto peer = socket_->accept();
    if (!peer) {
        if (peer.error() == Errno{EMFILE} || peer.error() == Errno{ENFILE}) {
            machine_.logger->error("{}: a VMM is turned away: {}", path(), to_string(peer.error()));
        }
        return;
    }
    if (const auto why = why_refused(peer->get(), access_)) {
        machine_.logger->warn("{}: a VMM is turned away: {}", path(), *why);
        return;
    }
    if (turns_away_.load(std::memory_order_relaxed)) {
        machine_.logger->warn(
            "{}: a VMM is turned away: the guest is being drained ('vrdmactl drain --off' ends "
            "that)",
            path());
        return;
    }
    if (connection_ != nullptr && connection_->vmm_has_left()) {
        // The receiver has not told yet.
        machine_.logger->info("the VMM has disconnected");
        connection_.reset();
    }
    if (connection_ != nullptr) {
        machine_.logger->warn("{}: a second VMM is turned away while the first is connected",
                              path());
        return;
    }
    auto received = machine_.receive_from(*peer);
    if (!received) {
        machine_.logger->error(
            "{}: a VMM is turned away: this machine's receiver does not take its connection ({}); "
            "end the VMM that holds it up, or start vrdmad again if it is gone",
            path(), to_string(received.error()));
        return;
    }
    machine_.logger->info("{}: a VMM has connected", path());
    try {
        connection_ =
            std::make_unique<Connection>(std::move(*peer), std::move(*received), device_, loop_,
                                         *signaller_, machine_, [this] { connection_.reset(); });
    } catch (const std::exception& error) {
        machine_.logger->error("{}: a VMM is turned away: {}", path(), error.what());
    }
}

}  // namespace vrdma::vhost
