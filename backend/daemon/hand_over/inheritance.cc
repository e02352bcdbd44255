// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/hand_over/inheritance.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include "daemon/equipment/socket_owner.h"
#include "daemon/hand_over/transfer.h"
#include "state/document.h"

namespace vrdma::daemon {
namespace {

FileDescriptor connect_to(const std::filesystem::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string name = path.string();
    FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (name.size() >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        socket.reset();
    }
    name.copy(address.sun_path, sizeof(address.sun_path) - 1);
    if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address),
                             sizeof(address)) != 0) {
        throw std::runtime_error(
            fmt::format("there is no vrdmad to take over on {}: {}; start without --take-over if "
                        "none runs",
                        name, std::strerror(errno)));
    }
    limit_waits(socket.get());
    return socket;
}

// The process that listens, which is readable when it has ended.
FileDescriptor process_of(const FileDescriptor& socket) {
    ucred peer{};
    socklen_t length = sizeof(peer);
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) {
        throw std::system_error(errno, std::generic_category(), "the other vrdmad's process");
    }
    FileDescriptor process(static_cast<int>(::syscall(SYS_pidfd_open, peer.pid, 0)));
    if (!process) {
        throw std::system_error(errno, std::generic_category(), "the other vrdmad's process");
    }
    return process;
}

// How long the predecessor may take to end.
constexpr int kPatienceMs = 10000;

}  // namespace

Inheritance::Inheritance(const std::filesystem::path& socket)
    : predecessor_(connect_to(socket)), process_(process_of(predecessor_)) {
    read(predecessor_, fmt::format("the guests of the vrdmad on {}", socket.string()),
         "that vrdmad goes on with them, and its log may say why");
}

Inheritance::Inheritance(const FileDescriptor& stored) {
    limit_waits(stored.get());
    read(stored, "the guests that the vrdmad before this one has stored",
         "they lose what they had");
}

void Inheritance::read(const FileDescriptor& socket, const std::string& whose,
                       const char* otherwise) {
    auto received = receive_state(socket.get());
    if (!received) {
        throw std::runtime_error(fmt::format("{} do not come over: {}; {}", whose,
                                             to_string(received.error()), otherwise));
    }
    auto decoded = state::decode(received->document);
    if (!decoded) {
        throw std::runtime_error(
            fmt::format("{} cannot be taken over: {}; {}", whose, decoded.error(), otherwise));
    }
    state_ = std::move(*decoded);
    files_ = state::ReceivedFiles(std::move(received->files));
}

const state::Machine* Inheritance::find(const VmConfig& vm) const {
    const std::string path = vm.socket.lexically_normal();
    const auto found = std::ranges::find_if(state_.machines(), [&](const state::Machine& machine) {
        return std::filesystem::path(machine.path()).lexically_normal() == path;
    });
    return found == state_.machines().end() ? nullptr : &*found;
}

std::optional<Equipment> Inheritance::equipment(const Config& config, const VmConfig& vm) {
    const state::Machine* machine = find(vm);
    if (machine == nullptr) {
        return std::nullopt;
    }
    state::allow_own(files_, *machine);
    auto socket = files_.take_needed(machine->socket().file());
    auto receiver = files_.take(machine->receiver_file());
    if (!socket || !receiver) {
        return std::nullopt;
    }
    vhost::ListeningSocket::Bound bound{.socket = std::move(*socket),
                                        .gave_away = machine->socket().gave_away(),
                                        .inode = machine->socket().inode()};
    Equipment equipment{
        .access = socket_access(config, vm),
        .socket = std::make_shared<vhost::ListeningSocket>(vm.socket.string(), std::move(bound)),
        .receiver = nullptr};
    if (*receiver) {
        equipment.receiver = std::make_shared<vhost::Receiver>(std::move(*receiver));
    }
    return equipment;
}

void Inheritance::leave() {
    if (predecessor_.valid()) {
        answer(predecessor_.get(), Answer::kLookedAt);
    }
}

void Inheritance::take() {
    if (!predecessor_.valid()) {
        return;
    }
    answer(predecessor_.get(), Answer::kTaken);
    // Its sockets are free only when it has ended.
    pollfd ended{.fd = process_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&ended, 1, kPatienceMs) != 1) {
        throw std::runtime_error(
            "the vrdmad before this one has not ended, and so keeps its guests; its log says why");
    }
}

}  // namespace vrdma::daemon
