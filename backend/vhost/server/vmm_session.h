// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "file_descriptor.h"
#include "memory/guest_memory.h"
#include "vhost/device.h"
#include "vhost/protocol/backend_requests.h"
#include "vhost/protocol/message.h"
#include "vhost/server/event_loop.h"
#include "vhost/server/machine.h"
#include "vhost/server/outcome.h"
#include "vhost/server/queue_state.h"

namespace vrdma::state {
class VmmConnection;
}  // namespace vrdma::state

namespace vrdma::vhost {

// The state that one VMM has set up over its connection (features, memory, rings, channel of
// back-end requests), and a handler for each message that changes or tells it.  A handler is
// called with a message whose payload and descriptors have the sizes of the message table.  The
// connection's thread only.
class VmmSession {
  public:
    // Whose session it is: that of a VMM that has connected, or one that another process has begun,
    // which restore() follows.
    enum class Begun { kHere, kElsewhere };

    // Tells the device that it is connected, if the session is begun here.  All arguments outlive
    // the session.
    VmmSession(Device& device, EventLoop& loop, EventfdSignaller& signaller, const Machine& machine,
               Begun begun = Begun::kHere);

    // Stops the queues, fails what the channel of back-end requests has outstanding, tells the
    // device that it is disconnected, lets go of guest memory, and closes the channel last.
    ~VmmSession();
    VmmSession(const VmmSession&) = delete;
    VmmSession& operator=(const VmmSession&) = delete;

    // Whether the protocol feature REPLY_ACK was negotiated.
    bool reply_ack() const;

    // Accesses to the memory of this session that fail.
    const memory::FaultReport& faults() const { return *faults_; }

    // What went wrong with the first of them, and what to do, for the log.
    std::string explain_fault() const;

    // The session in the hands of another process (vmm_session_state.cc).  suspend() stops the
    // queues.  Once nothing is outstanding, save() writes the session down; resume() has it go on
    // here after all.
    void suspend();
    bool has_outstanding() const;
    // Called on the connection's thread whenever something is outstanding no more; null for nobody.
    void when_answered(std::function<void()> answered) { answered_ = std::move(answered); }
    void resume();
    Result<void> save(state::VmmConnection& vmm, state::Device& device, state::FilesToSend& files);
    Result<void> restore(const state::VmmConnection& vmm, const state::Device& device,
                         state::ReceivedFiles& files);

    // The session as a whole (vmm_session.cc).
    Outcome get_features(Message& message);
    Outcome set_features(Message& message);
    Outcome get_protocol_features(Message& message);
    Outcome set_protocol_features(Message& message);
    Outcome set_owner(Message& message);
    Outcome reset_owner(Message& message);
    Outcome reset_device(Message& message);
    Outcome get_config(Message& message);
    Outcome set_config(Message& message);
    Outcome set_backend_req_fd(Message& message);

    // Guest memory (vmm_session_memory.cc).
    Outcome set_mem_table(Message& message);
    Outcome get_max_mem_slots(Message& message);
    Outcome add_mem_reg(Message& message);
    Outcome rem_mem_reg(Message& message);

    // Rings (vmm_session_rings.cc).
    Outcome get_queue_num(Message& message);
    Outcome set_vring_num(Message& message);
    Outcome set_vring_addr(Message& message);
    Outcome set_vring_base(Message& message);
    Outcome get_vring_base(Message& message);
    Outcome set_vring_kick(Message& message);
    Outcome set_vring_call(Message& message);
    Outcome set_vring_err(Message& message);
    Outcome set_vring_enable(Message& message);

  private:
    struct RingFd;

    QueueState* queue(uint64_t index) const;
    tl::expected<RingFd, Refusal> ring_fd(Message& message) const;
    void reset();
    tl::expected<memory::GuestMemory, Refusal> with_region(const memory::GuestMemory& memory,
                                                           const VuMemoryRegion& region,
                                                           const FileDescriptor& file);
    void set_memory(memory::GuestMemory memory);
    Result<void> open_backend_requests(FileDescriptor socket);
    Result<void> use_backend_requests(FileDescriptor socket, FileDescriptor replies);
    void serve_backend_requests();
    void retire_backend_requests();

    Device& device_;
    EventLoop& loop_;
    EventfdSignaller& signaller_;
    const Machine& machine_;
    const std::shared_ptr<memory::FaultReport> faults_ = std::make_shared<memory::FaultReport>();
    bool owned_ = false;  // a session in the protocol's sense has begun
    uint64_t features_ = 0;
    uint64_t protocol_features_ = 0;
    std::shared_ptr<const memory::GuestMemory> memory_;
    std::vector<std::unique_ptr<QueueState>> queues_;
    std::shared_ptr<BackendRequests> backend_requests_;
    // Channels that were replaced or that the VMM has closed, the oldest first, kept open.  QEMU
    // has a channel of its own, which the device model's channel replaces, and would complain if
    // its own were closed; and it takes the end of a channel for the end of this session.
    std::deque<std::shared_ptr<BackendRequests>> retired_channels_;
    std::function<void()> answered_;
};

}  // namespace vrdma::vhost
