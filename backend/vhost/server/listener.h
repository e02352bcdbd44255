// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <spdlog/logger.h>

#include <atomic>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "vhost/device.h"
#include "vhost/server/connection.h"
#include "vhost/server/event_loop.h"
#include "vhost/server/listening_socket.h"
#include "vhost/server/machine.h"

namespace vrdma::state {
class Machine;
}  // namespace vrdma::state

namespace vrdma::vhost {

// Serves one device on one Unix socket path, to one VMM at a time; when the VMM leaves another
// may come.  One thread runs run().
class Listener {
  public:
    // Serves only whom `access` names, on `socket`, which no other listener serves at the same
    // time. `memory` maps what VMMs hand over, `receiver` reads what they send.  Throws
    // std::runtime_error when the kernel lacks what a connection needs.
    Listener(std::shared_ptr<ListeningSocket> socket, const SocketAccess& access, Device& device,
             const std::shared_ptr<spdlog::logger>& logger, std::shared_ptr<RegionMapper> memory,
             std::shared_ptr<Receiver> receiver);
    // Makes the socket.  Throws std::runtime_error when the path cannot be listened on as well.
    Listener(const std::string& path, const SocketAccess& access, Device& device,
             const std::shared_ptr<spdlog::logger>& logger,
             std::shared_ptr<RegionMapper> memory = std::make_shared<RegionMapper>(),
             std::shared_ptr<Receiver> receiver = nullptr)
        : Listener(std::make_shared<ListeningSocket>(path, access), access, device, logger,
                   std::move(memory), std::move(receiver)) {}
    // Serves whom the permissions of the path let in.
    Listener(const std::string& path, mode_t mode, Device& device,
             const std::shared_ptr<spdlog::logger>& logger)
        : Listener(path, SocketAccess{.mode = mode}, device, logger) {}

    // Disconnects the VMM, and lets go of the socket, whose end removes the path.  run() must have
    // returned.
    ~Listener() = default;
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    // Accepts and serves until stop(), and then disconnects the VMM before it returns; or until
    // suspend() has done its work, and then it leaves all as it is.
    enum class End { kStopped, kSuspended };
    End run();

    // Makes run() return, also one that has not begun.  Any thread.
    void stop();

    // Makes run() return as soon as the VMM's session can go on in another process, which needs the
    // VMM's answers to what it has been asked.  Any thread.
    void suspend();
    // Takes suspend() back, whether or not run() has returned; the next run() goes on as if nothing
    // had been.  Any thread.
    void resume();
    // The socket, and the receiver.  Any thread.
    void save_socket(state::Machine& machine, state::FilesToSend& files) const;
    // While it is suspended: the VMM's session and the guest's device, if a VMM is connected.
    // Errors of Device::save().
    Result<void> save(state::Machine& machine, state::FilesToSend& files);
    // Goes on with the VMM's session of another process, if `machine` has one.  Before run().  An
    // error is the operator's, and leaves a listener without a VMM, whose device has been told.
    tl::expected<void, std::string> restore(const state::Machine& machine,
                                            state::ReceivedFiles& files);

    // Whether VMMs that connect from now on are turned away.  The one that is connected stays.  Any
    // thread.
    void turn_away(bool yes) { turns_away_.store(yes, std::memory_order_relaxed); }

    const std::string& path() const { return socket_->path(); }

  private:
    void accept();
    void change_suspended();
    void begin_suspend();
    void end_suspend();
    void lose_vmm();

    Device& device_;
    const Machine machine_;
    const SocketAccess access_;
    const std::shared_ptr<ListeningSocket> socket_;
    std::atomic<bool> turns_away_ = false;
    std::atomic<bool> stopping_ = false;
    std::atomic<bool> suspend_wanted_ = false;
    bool suspended_ = false;  // the loop's thread only
    FileDescriptor suspend_;  // an eventfd: suspend_wanted_ has changed
    EventLoop loop_;
    std::unique_ptr<EventfdSignaller> signaller_ = std::make_unique<EventfdSignaller>();
    std::unique_ptr<Connection> connection_;
};

}  // namespace vrdma::vhost
