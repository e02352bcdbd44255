// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "control/control_socket.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "helper_thread.h"
#include "rate_limited_logger.h"

namespace vrdma::control {
namespace {

// Without groups the kernel turns everybody away but root and the daemon's user.  With groups
// everybody may connect, is looked at, and gets a sentence if he is none of them: the daemon need
// not be a member of a group to let its members in.
mode_t mode_of(const Permissions& permissions) {
    return permissions.readers || permissions.administrators ? 0666 : 0600;
}

constexpr std::chrono::seconds kLookInterval{1};

// What the thread waits for besides its clients.
constexpr size_t kOwnDescriptors = 4;

// A line for a client that is turned away.  Its socket is new and empty, so that the line fits.
void turn_away(const FileDescriptor& client, const Error& error) {
    const std::string line = to_line(error_document(error)) + "\n";
    (void)::send(client.get(), line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace

ControlSocket::ControlSocket(Options options, const Dispatcher& dispatcher, EventQueue& events,
                             EventHistory& history, const std::shared_ptr<spdlog::logger>& logger)
    : options_(std::move(options)),
      dispatcher_(dispatcher),
      events_(events),
      history_(history),
      logger_(rate_limited(*logger, {})),
      socket_(options_.path.string(), {.mode = mode_of(options_.permissions)}),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
    if (!stop_) {
        throw std::system_error(errno, std::generic_category(), "control socket");
    }
    thread_ = std::thread([this] { run(); });
}

ControlSocket::~ControlSocket() {
    ::eventfd_write(stop_.get(), 1);
    thread_.join();
}

// How long poll(2) may wait, in milliseconds; -1 for ever.
int ControlSocket::patience() const {
    if (std::ranges::any_of(clients_, &Client::has_work)) {
        return 0;
    }
    if (!look_is_due_) {
        return -1;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_look_ - Clock::now());
    return static_cast<int>(std::max<int64_t>(0, left.count()));
}

void ControlSocket::run() {
    begin_helper_thread("vrdma-ctlsock");
    std::vector<pollfd> polled;
    for (;;) {
        // poll(2) ignores what has the descriptor -1.
        const int watched = options_.watched && !look_is_due_ ? options_.watched->fd : -1;
        const std::array<pollfd, kOwnDescriptors> own{{{stop_.get(), POLLIN, 0},
                                                       {socket_.fd(), POLLIN, 0},
                                                       {events_.fd(), POLLIN, 0},
                                                       {watched, POLLIN, 0}}};
        polled.assign(own.begin(), own.end());
        for (const Client& client : clients_) {
            polled.push_back({client.fd(), client.wanted(), 0});
        }
        if (::poll(polled.data(), polled.size(), patience()) < 0 && errno != EINTR) {
            logger_->error("control: poll: {}; the control socket answers no more",
                           to_string(Errno{errno}));
            return;
        }
        if (polled[0].revents != 0) {
            return;
        }
        serve_clients(polled);
        if (polled[1].revents != 0) {
            accept();
        }
        look_is_due_ = look_is_due_ || polled[3].revents != 0;
        if (look_is_due_ && Clock::now() >= next_look_) {
            options_.watched->look();
            look_is_due_ = false;
            next_look_ = Clock::now() + kLookInterval;
        }
        pass_events_on();
    }
}

// `ready` has the clients in their order, behind the socket's own descriptors.
void ControlSocket::serve_clients(const std::vector<pollfd>& ready) {
    auto client = clients_.begin();
    for (size_t i = kOwnDescriptors; i < ready.size(); ++i) {
        const bool goes_on = (ready[i].revents == 0 && !client->has_work()) ||
                             client->serve(ready[i].revents, dispatcher_);
        client = goes_on ? std::next(client) : clients_.erase(client);
    }
}

void ControlSocket::accept() {
    auto accepted = socket_.accept();
    if (!accepted) {
        if (accepted.error() != Errno{EAGAIN}) {
            logger_->error("control: a client is turned away: {}", to_string(accepted.error()));
        }
        return;
    }
    const auto access = access_of(accepted->get(), options_.permissions);
    if (!access) {
        logger_->info("control: a client is turned away: {}", access.error());
        turn_away(*accepted, {kNotPermitted, access.error()});
        return;
    }
    const size_t limit = *access == Access::kReader ? kMaxReaders : kMaxClients;
    if (clients_.size() >= limit) {
        turn_away(*accepted,
                  {kTooManyClients,
                   fmt::format("vrdmad serves {} clients already; end one of them", limit)});
        return;
    }
    clients_.emplace_back(std::move(*accepted), *access);
}

// A client that does not read loses its connection: events wait for nobody.
void ControlSocket::pass_events_on() {
    for (const Event& event : events_.take()) {
        const nlohmann::json parameters = to_json(event);
        const std::string line =
            to_line({{"jsonrpc", "2.0"}, {"method", "event"}, {"params", parameters}});
        history_.add(parameters);
        std::erase_if(clients_, [&](Client& client) {
            const bool lost = client.follows() && !client.tell(line);
            if (lost) {
                logger_->info("control: a client that does not read its events is cut off");
            }
            return lost;
        });
    }
}

}  // namespace vrdma::control
