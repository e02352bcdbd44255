// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vhost/server/listener.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include <cerrno>
#include <exception>
#include <system_error>
#include <utility>

#include "rate_limited_logger.h"
#include "state/daemon.pb.h"

namespace vrdma::vhost {

Listener::Listener(std::shared_ptr<ListeningSocket> socket, const SocketAccess& access,
                   Device& device, const std::shared_ptr<spdlog::logger>& logger,
                   std::shared_ptr<RegionMapper> memory, std::shared_ptr<Receiver> receiver)
    : device_(device),
      machine_{.logger = rate_limited(*logger, logger->name()),
               .memory = std::move(memory),
               .receiver = std::move(receiver)},
      access_(access),
      socket_(std::move(socket)),
      suspend_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    constexpr mode_t kOthers = S_IROTH | S_IWOTH;
    if (!socket_->gave_away() && !access_.group && (access_.mode & kOthers) != kOthers) {
        machine_.logger->warn(
            "{}: the socket cannot be given to the user {} (CAP_CHOWN), who cannot reach it so; "
            "set socket_group, or socket_mode = 0o666, with which other users are turned away",
            this->path(), *access_.user);
    }
    if (!suspend_) {
        throw std::system_error(errno, std::generic_category(), "eventfd");
    }
    loop_.add(socket_->fd(), EPOLLIN, [this](uint32_t) { accept(); });
    loop_.add(suspend_.get(), EPOLLIN, [this](uint32_t) { change_suspended(); });
}

Listener::End Listener::run() {
    loop_.run();
    if (!stopping_.load(std::memory_order_acquire)) {
        return End::kSuspended;
    }
    connection_.reset();
    // Here and not in the destructor, since it takes a while: listeners end side by side.
    signaller_.reset();
    return End::kStopped;
}

void Listener::stop() {
    // Pairs with the acquire of run(), which the loop's eventfd wakes.
    stopping_.store(true, std::memory_order_release);
    loop_.stop();
}

void Listener::suspend() {
    suspend_wanted_.store(true, std::memory_order_release);
    ::eventfd_write(suspend_.get(), 1);
}

void Listener::resume() {
    suspend_wanted_.store(false, std::memory_order_release);
    ::eventfd_write(suspend_.get(), 1);
}

void Listener::lose_vmm() {
    connection_.reset();
    if (suspended_) {
        loop_.stop();
    }
}

void Listener::change_suspended() {
    eventfd_t ignored = 0;
    ::eventfd_read(suspend_.get(), &ignored);
    // Pairs with the release of suspend() and resume().
    const bool wanted = suspend_wanted_.load(std::memory_order_acquire);
    if (std::exchange(suspended_, wanted) == wanted) {
        return;
    }
    if (wanted) {
        begin_suspend();
    } else {
        end_suspend();
    }
}

void Listener::begin_suspend() {
    // Who connects from now on finds the successor, or this process again.
    loop_.remove(socket_->fd());
    if (connection_ == nullptr) {
        loop_.stop();
    } else {
        connection_->suspend([this] { loop_.stop(); });
    }
}

void Listener::end_suspend() {
    if (connection_ != nullptr) {
        connection_->resume();
    }
    loop_.add(socket_->fd(), EPOLLIN, [this](uint32_t) { accept(); });
}

void Listener::save_socket(state::Machine& machine, state::FilesToSend& files) const {
    machine.set_path(path());
    state::ListeningSocket& socket = *machine.mutable_socket();
    socket.set_file(files.add(socket_->fd()));
    socket.set_gave_away(socket_->gave_away());
    socket.set_inode(socket_->inode());
    if (machine_.receiver != nullptr) {
        machine.set_receiver_file(files.add(machine_.receiver->control_fd()));
    }
}

Result<void> Listener::save(state::Machine& machine, state::FilesToSend& files) {
    if (connection_ == nullptr) {
        return {};
    }
    return connection_->save(*machine.mutable_vmm(), *machine.mutable_device(), files);
}

tl::expected<void, std::string> Listener::restore(const state::Machine& machine,
                                                  state::ReceivedFiles& files) {
    if (!machine.has_vmm()) {
        return {};
    }
    auto socket = files.take_needed(machine.vmm().socket_file());
    auto received = files.take(machine.vmm().received_file());
    if (!socket || !received) {
        return tl::unexpected<std::string>("the VMM's connection did not come along");
    }
    try {
        connection_ = std::make_unique<Connection>(
            std::move(*socket), std::move(*received), device_, loop_, *signaller_, machine_,
            [this] { lose_vmm(); }, machine.vmm(), machine.device(), files);
    } catch (const std::exception& error) {
        return tl::unexpected<std::string>(error.what());
    }
    return {};
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
                                         *signaller_, machine_, [this] { lose_vmm(); });
    } catch (const std::exception& error) {
        machine_.logger->error("{}: a VMM is turned away: {}", path(), error.what());
    }
}

}  // namespace vrdma::vhost
