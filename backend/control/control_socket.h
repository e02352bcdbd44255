// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <poll.h>
#include <spdlog/logger.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "control/client.h"
#include "control/dispatcher.h"
#include "control/events.h"
#include "control/permissions.h"
#include "file_descriptor.h"
#include "vhost/server/listening_socket.h"

namespace vrdma::control {

// Serves the methods of a dispatcher, and events, on a Unix socket, by a thread of its own.  It
// takes nothing that a guest's threads wait for, but for moments.
class ControlSocket {
  public:
    static constexpr size_t kMaxClients = 64;
    static constexpr size_t kMaxReaders = 48;  // so that administrators find room

    // A source of events that others only count.
    struct Watched {
        int fd;  // readable when there is something to look at
        // Makes events of what is there, and the descriptor unreadable.  Called at most once a
        // second, however often the descriptor becomes readable.
        std::function<void()> look;
    };

    struct Options {
        std::filesystem::path path;
        Permissions permissions;
        std::optional<Watched> watched{};
    };

    // `dispatcher`, `events` and `history` outlive the socket; the history is the thread's.  Throws
    // std::runtime_error when the socket cannot be made.
    ControlSocket(Options options, const Dispatcher& dispatcher, EventQueue& events,
                  EventHistory& history, const std::shared_ptr<spdlog::logger>& logger);
    // Disconnects all clients.
    ~ControlSocket();
    ControlSocket(const ControlSocket&) = delete;
    ControlSocket& operator=(const ControlSocket&) = delete;

  private:
    using Clock = std::chrono::steady_clock;

    void run();
    int patience() const;
    void accept();
    void serve_clients(const std::vector<pollfd>& ready);
    void pass_events_on();

    const Options options_;
    const Dispatcher& dispatcher_;
    EventQueue& events_;
    EventHistory& history_;
    const std::shared_ptr<spdlog::logger> logger_;
    vhost::ListeningSocket socket_;
    FileDescriptor stop_;
    // The thread's.
    std::list<Client> clients_;
    bool look_is_due_ = false;  // `watched` is readable, and was looked at less than a second ago
    Clock::time_point next_look_{};
    std::thread thread_;
};

}  // namespace vrdma::control
