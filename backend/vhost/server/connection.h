// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include "file_descriptor.h"
#include "vhost/device.h"
#include "vhost/protocol/message.h"
#include "vhost/server/event_loop.h"
#include "vhost/server/machine.h"
#include "vhost/server/vmm_session.h"

namespace vrdma::vhost {

// One VMM's connection: receives its messages, checks them by the message table, has the session
// handle them and answers, on the loop's thread, and never blocks.
class Connection {
  public:
    // Serves `device` on `socket`.  What the VMM sends is read from `received`
    // (Machine::receive_from()).  `closed` is called, on the loop's thread, when the VMM
    // has left or has broken the protocol, or the guest's memory has failed; the connection is to
    // be destroyed then.  `signaller` and `machine` outlive the connection.
    Connection(FileDescriptor socket, FileDescriptor received, Device& device, EventLoop& loop,
               EventfdSignaller& signaller, const Machine& machine, std::function<void()> closed);

    // Goes on with a connection that another process has served, as save() wrote it.  `socket` and
    // `received` are those of `vmm`.  Throws std::runtime_error when the session cannot go on.
    Connection(FileDescriptor socket, FileDescriptor received, Device& device, EventLoop& loop,
               EventfdSignaller& signaller, const Machine& machine, std::function<void()> closed,
               const state::VmmConnection& vmm, const state::Device& saved,
               state::ReceivedFiles& files);

    // Ends the session, which stops the queues and tells the device, and closes the socket.
    ~Connection();

    // Stops the session, so that it can go on in another process.  `suspended` is called, once, on
    // the loop's thread, when no message has come in part, and no request to the VMM is
    // outstanding; not before the VMM has answered.
    void suspend(std::function<void()> suspended);
    void resume();
    // While it is suspended.  Errors of Device::save().
    Result<void> save(state::VmmConnection& vmm, state::Device& device, state::FilesToSend& files);

    // Whether the VMM has closed its end.  What it sent before may be on its way yet.
    bool vmm_has_left() const;
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

  private:
    void watch();
    void receive();
    void look_whether_suspended();
    void memory_failed();
    void leave();
    bool handle(Message& message);
    bool reply(const Message& message, std::span<const std::byte> payload);

    int source() const { return received_ ? received_.get() : socket_.fd.get(); }

    // The receiver has the VMM's socket, too: only shutdown(2) tells the VMM of the end.
    struct VmmSocket {
        ~VmmSocket() { ::shutdown(fd.get(), SHUT_RDWR); }
        FileDescriptor fd;
    };

    const VmmSocket socket_;
    const FileDescriptor received_;
    EventLoop& loop_;
    const std::shared_ptr<spdlog::logger> logger_;
    const std::function<void()> closed_;
    MessageReader reader_;
    VmmSession session_;
    std::function<void()> suspended_;  // while the session is on its way to be suspended
    bool reading_ = false;
};

}  // namespace vrdma::vhost
