// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/equipment/broker.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include "daemon/confinement/capabilities.h"
#include "daemon/confinement/seccomp_filter.h"
#include "daemon/equipment/socket_owner.h"
#include "forked_process.h"
#include "socket_files.h"

namespace vrdma::daemon {
namespace {

// Text of limited length, with a zero behind it.
template <size_t kSize>
using Text = std::array<char, kSize>;

// Throws ConfigError for text that is too long.
template <size_t kSize>
void put(Text<kSize>& target, const std::string& text) {
    if (text.size() >= kSize || text.find('\0') != std::string::npos) {
        throw ConfigError(
            fmt::format("'{}' is longer than the {} bytes that it may have, or has a "
                        "zero byte",
                        text.substr(0, kSize).c_str(), kSize - 1));
    }
    std::ranges::copy(text, target.begin());
}

template <size_t kSize>
std::string get(const Text<kSize>& text) {
    return {text.begin(), std::find(text.begin(), text.end(), '\0')};
}

// Both processes are of one program, so that the structures are the same in both.
struct Request {
    Text<108> path{};  // as sockaddr_un has it
    Text<256> name{};  // of the virtual machine, for messages
    Text<256> user{};
    Text<256> group{};
    mode_t mode = 0;
};

// Comes with the listening socket and the receiver's control socket, unless there is an error.
struct Reply {
    Text<1024> error{};
    std::optional<uid_t> user{};
    std::optional<gid_t> group{};
    ino_t inode = 0;
    bool gave_away = false;
};

constexpr size_t kDescriptors = 2;

// Receives one message, of the size of `value`.  Returns false at the end, and for anything else.
template <typename Value>
bool receive(int socket, Value& value, std::span<FileDescriptor> fds) {
    // A byte more, so that a message that is longer is found out.
    std::array<std::byte, sizeof(value) + 1> bytes;
    auto received = receive_with_files(socket, bytes);
    if (!received || received->size != sizeof(value)) {
        return false;
    }
    std::memcpy(&value, bytes.data(), sizeof(value));
    const auto count = std::min(fds.size(), received->files.size());
    std::move(received->files.begin(), received->files.begin() + static_cast<ptrdiff_t>(count),
              fds.begin());
    return true;
}

// Runs in the broker.
class BrokerLoop {
  public:
    BrokerLoop(int control, const Config& config) : control_(control), config_(config) {}

    void run() {
        Request request;
        while (receive(control_, request, {})) {
            answer(request);
        }
    }

  private:
    void answer(const Request& request) {
        Reply reply;
        std::array<FileDescriptor, kDescriptors> fds;
        try {
            work(request, reply, fds);
        } catch (const std::exception& error) {
            const std::string text = error.what();
            std::copy_n(text.begin(), std::min(text.size(), reply.error.size() - 1),
                        reply.error.begin());
        }
        const std::array sent{fds[0].get(), fds[1].get()};
        const bool made = get(reply.error).empty();
        // When vrdmad is gone the next request does not come.
        (void)send_with_files(control_, std::as_bytes(std::span(&reply, 1)),
                              made ? std::span<const int>(sent) : std::span<const int>(), 0);
    }

    void work(const Request& request, Reply& reply,
              std::array<FileDescriptor, kDescriptors>& fds) const {
        Config config;
        config.socket_mode = request.mode;
        VmConfig vm;
        vm.name = get(request.name);
        vm.socket_user = get(request.user);
        vm.socket_group = get(request.group);
        const vhost::SocketAccess access = socket_access(config, vm);
        // First, since a socket that nobody takes would have to be removed again.
        fds[1] = vhost::Receiver::start({.file_systems = config_.memory.file_systems,
                                         .confine = [this] { confine_receiver(); }});
        auto bound = vhost::ListeningSocket::bind(get(request.path), access);
        fds[0] = std::move(bound.socket);
        reply.user = access.user;
        reply.group = access.group;
        reply.gave_away = bound.gave_away;
        reply.inode = bound.inode;
    }

    void confine_receiver() const {
        keep_no_capability();
        install_seccomp_filter(config_.seccomp, SeccompSet::kEmbedded);
    }

    const int control_;
    const Config& config_;
};

[[noreturn]] void serve(const FileDescriptor& control, const Config& config) {
    try {
        begin_forked_process(control.get(), "vrdma-broker");
        // Nobody waits for receivers, which end when vrdmad lets go of them.
        ::signal(SIGCHLD, SIG_IGN);
        keep_file_capabilities_only();
        install_seccomp_filter(config.seccomp, SeccompSet::kBroker);
        BrokerLoop(control.get(), config).run();
    } catch (const std::exception&) {
        ::_exit(EXIT_FAILURE);
    }
    ::_exit(EXIT_SUCCESS);
}

}  // namespace

Equipment equip_here(const Config& config, const VmConfig& vm) {
    const vhost::SocketAccess access = socket_access(config, vm);
    return {.access = access,
            .socket = std::make_shared<vhost::ListeningSocket>(vm.socket.string(), access),
            .receiver = nullptr};
}

Broker::Broker(const Config& config) {
    std::array<int, 2> fds{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds.data()) != 0) {
        throw std::system_error(errno, std::generic_category(), "socketpair");
    }
    control_ = FileDescriptor(fds[0]);
    const FileDescriptor theirs(fds[1]);
    const pid_t pid = ::fork();
    if (pid < 0) {
        throw std::system_error(errno, std::generic_category(), "fork");
    }
    if (pid == 0) {
        control_.reset();
        serve(theirs, config);
    }
}

Equipment Broker::equip(const Config& config, const VmConfig& vm) {
    Request request;
    put(request.path, vm.socket.string());
    put(request.name, vm.name);
    put(request.user, vm.socket_user.empty() ? config.socket_user : vm.socket_user);
    put(request.group, vm.socket_group.empty() ? config.socket_group : vm.socket_group);
    request.mode = config.socket_mode;

    Reply reply;
    std::array<FileDescriptor, kDescriptors> fds;
    const std::lock_guard lock(mutex_);
    if (!send_with_files(control_.get(), std::as_bytes(std::span(&request, 1)), {}, 0) ||
        !receive(control_.get(), reply, fds)) {
        throw std::runtime_error(
            "vrdmad's process that makes sockets (vrdma-broker) has ended; restart vrdmad");
    }
    if (const std::string error = get(reply.error); !error.empty()) {
        throw std::runtime_error(error);
    }
    const vhost::SocketAccess access{
        .mode = request.mode, .user = reply.user, .group = reply.group};
    return {.access = access,
            .socket = std::make_shared<vhost::ListeningSocket>(
                vm.socket.string(), vhost::ListeningSocket::Bound{.socket = std::move(fds[0]),
                                                                  .gave_away = reply.gave_away,
                                                                  .inode = reply.inode}),
            .receiver = std::make_shared<vhost::Receiver>(std::move(fds[1]))};
}

}  // namespace vrdma::daemon
