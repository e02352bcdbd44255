// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Requests from this process to the VMM (vhost-user: "back-end message types").
#pragma once

#include <spdlog/logger.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "file_descriptor.h"
#include "result.h"
#include "vhost/protocol/vhost_user.h"

namespace vrdma::vhost {

// A mapping to make in one of the device's virtio shared memory regions.
struct MapRequest {
    uint8_t region = 0;  // id of the shared memory region
    int fd = -1;         // borrowed for the call
    uint64_t fd_offset = 0;
    uint64_t region_offset = 0;  // where in the shared memory region
    uint64_t length = 0;
    bool writable = true;
};

// The VMM's socket for back-end requests.  The device side may be called from any
// thread and never blocks; replies are read by the connection's thread.
class BackendRequests {
  public:
    // Called with how a request ended: success, the VMM's error, ECONNRESET when the channel went
    // away first, or ECANCELED when the request was withdrawn.  Called exactly once, with no lock
    // held, on the connection's thread or the one that withdraws.
    using Completion = std::function<void(Result<void>)>;

    // Requests that may be outstanding at one time; more are refused with EAGAIN.
    static constexpr size_t kMaxOutstanding = 1024;

    // Takes the socket of SET_BACKEND_REQ_FD, and the one to read the VMM's replies from, if that
    // is another one.  Without `reply_ack` (the protocol feature REPLY_ACK) no request can be
    // confirmed, so that map() and unmap() answer EOPNOTSUPP.
    BackendRequests(FileDescriptor socket, FileDescriptor replies, bool reply_ack,
                    std::shared_ptr<spdlog::logger> logger);
    // The VMM sees the end of the stream.
    ~BackendRequests() { ::shutdown(socket_.get(), SHUT_RDWR); }
    BackendRequests(const BackendRequests&) = delete;
    BackendRequests& operator=(const BackendRequests&) = delete;

    // Asks the VMM to map (SHMEM_MAP) or to unmap (SHMEM_UNMAP).  On an error return
    // nothing was sent and `done` is never called: EAGAIN too many outstanding,
    // ECONNRESET the channel is closed, EOPNOTSUPP see above, EBADF.
    Result<void> map(const MapRequest& request, Completion done);
    Result<void> unmap(uint8_t region, uint64_t region_offset, uint64_t length, Completion done);

    // Takes back the requests to map of which nothing has been sent, because the VMM does not read
    // its socket, and so lets go of their files.
    void withdraw_maps();

    // Tells the driver that the configuration space changed (CONFIG_CHANGE_MSG).
    Result<void> config_changed();

    // Sends what waits and handles the replies that have arrived.  The connection's thread
    // calls it.  False when the channel is of no more use (closed by the VMM, or broken).  A
    // channel that is broken is closed; one that the VMM has closed stays open on this side.
    bool process();

    // Fails everything outstanding with ECONNRESET; later requests are refused with it, and no
    // reply is read any more.
    void retire();

    // As retire(), and shuts the socket down, so that the VMM sees the end of the stream.
    void close();

    // Whether the VMM has answered all, and nothing waits to be sent.  The connection's thread.
    bool is_idle();

    // The socket that has room for requests, and the one that has replies, if that is another.
    int fd() const { return socket_.get(); }
    std::optional<int> replies_fd() const {
        return replies_ ? std::optional(replies_.get()) : std::nullopt;
    }

  private:
    struct Outgoing {
        BackendRequest request{};
        bool need_reply = false;
        ShmemMapping payload{};
        size_t payload_size = 0;
        FileDescriptor fd;
        size_t sent = 0;
    };
    struct Pending {
        BackendRequest request;
        Completion done;
    };

    enum class Received { kAll, kEnd, kBroken };

    Result<void> submit(Outgoing outgoing, Completion done);
    bool flush_locked();
    Received receive_replies();
    bool handle_reply();

    const FileDescriptor socket_;
    const FileDescriptor replies_;
    const bool reply_ack_;
    const std::shared_ptr<spdlog::logger> logger_;

    std::mutex mutex_;  // guards the three below
    bool open_ = true;
    std::deque<Outgoing> outgoing_;
    std::deque<Pending> pending_;  // in the order of their replies

    // The connection's thread only.
    VuReply reply_{};
    size_t reply_received_ = 0;
};

}  // namespace vrdma::vhost
