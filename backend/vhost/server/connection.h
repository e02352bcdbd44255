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

    // Ends the session, which stops the queues and tells the device, and closes the socket.
    ~Connection();

    // Whether the VMM has closed its end.  What it sent before may be on its way yet.
    bool vmm_has_left() const;
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

  private:
    void receive();
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
};

}  // namespace vrdma::vhost
