// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <spdlog/logger.h>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "file_descriptor.h"
#include "memory/guest_memory.h"
#include "vhost/device.h"
#include "vhost/protocol/backend_requests.h"
#include "vhost/protocol/message.h"
#include "vhost/server/event_loop.h"
#include "vhost/server/queue_state.h"

namespace vrdma::vhost {

// One VMM's connection: parses, checks and answers its messages on the loop's thread,
// and never blocks.
class Connection {
  public:
    // Serves `device` on `socket`.  `closed` is called, on the loop's thread, when the VMM
    // has left or has broken the protocol; the connection is to be destroyed then.
    Connection(FileDescriptor socket, Device& device, EventLoop& loop,
               std::shared_ptr<spdlog::logger> logger, std::function<void()> closed);

    // Stops the queues, fails what the channel of back-end requests has outstanding, and tells the
    // device that it is disconnected.
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

  private:
    friend struct MessageHandlers;

    void receive();
    void leave();
    bool handle(Message& message);
    bool reply(const Message& message, std::span<const std::byte> payload);
    void set_memory(memory::GuestMemory memory);
    Result<void> set_backend_requests(FileDescriptor socket);
    void drop_backend_requests();

    FileDescriptor socket_;
    Device& device_;
    EventLoop& loop_;
    const std::shared_ptr<spdlog::logger> logger_;
    const std::function<void()> closed_;
    MessageReader reader_;
    bool owned_ = false;  // a session has begun
    uint64_t features_ = 0;
    uint64_t protocol_features_ = 0;
    std::shared_ptr<const memory::GuestMemory> memory_;
    std::vector<std::unique_ptr<QueueState>> queues_;
    std::shared_ptr<BackendRequests> backend_requests_;
    // The one before.  QEMU has a channel of its own, which is superseded by that of the
    // device model and would be complained about if it were closed.
    std::shared_ptr<BackendRequests> retired_channel_;
};

}  // namespace vrdma::vhost
