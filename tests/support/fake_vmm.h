// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "file_descriptor.h"
#include "support/driver_queue.h"
#include "support/fake_backend_requests.h"
#include "support/fake_memory.h"
#include "vhost/protocol/vhost_user.h"

namespace vrdma::test {

// A VMM on a vhost-user socket, which does what the test tells it.  Everything throws
// std::runtime_error when the server is gone or does not answer.
class FakeVmm {
  public:
    explicit FakeVmm(const std::string& path);

    // The usual beginning: features, protocol features, SET_OWNER.  Takes the features in
    // `wanted` that the server offers, and returns those.
    static constexpr uint64_t kAll = UINT64_MAX;
    uint64_t negotiate(uint64_t wanted = kAll);

    // SET_MEM_TABLE with all of `memory`, or one region plugged in or out.  Returns whether
    // the server accepted.
    bool share(const FakeMemory& memory);
    bool add_region(const FakeMemory::Region& region);
    bool remove_region(const FakeMemory::Region& region);

    // Sets up and enables queue `index`, from `base` (of a new queue, if absent).
    void start_queue(uint32_t index, const DriverQueue& queue, std::optional<uint32_t> base = {});

    // GET_VRING_BASE.
    uint32_t stop_queue(uint32_t index);

    bool enable_queue(uint32_t index, bool enable);
    bool set_vring(vhost::Request request, uint32_t index, uint32_t value);
    bool set_addresses(uint32_t index, const vhost::RingLayout& layout);

    // SET_VRING_KICK, CALL or ERR; without a descriptor for -1.
    bool set_vring_fd(vhost::Request request, uint32_t index, int fd);

    // Empty when the server refuses.
    std::vector<std::byte> get_config(uint32_t offset, uint32_t size);
    bool set_config(uint32_t offset, std::span<const std::byte> bytes);

    // SET_BACKEND_REQ_FD with one end of a new channel; the other one is returned.
    std::unique_ptr<FakeBackendRequests> open_backend_requests();

    // A message of any kind, which is not answered.
    void send(vhost::Request request, std::span<const std::byte> payload = {},
              std::span<const int> fds = {}, uint32_t flags = vhost::kVersion);

    // The same, and the payload of its reply.
    std::vector<std::byte> ask(vhost::Request request, std::span<const std::byte> payload = {});
    uint64_t ask_u64(vhost::Request request);

    // The same with NEED_REPLY: whether the server says that it succeeded.
    bool acknowledged(vhost::Request request, std::span<const std::byte> payload = {},
                      std::span<const int> fds = {});

    // Bytes that need not be a message.
    void send_raw(std::span<const std::byte> bytes, std::span<const int> fds = {});

    // Waits until the server has closed the connection, dropping what it still sent.
    void wait_disconnected();

    int fd() const { return socket_.get(); }

  private:
    std::vector<std::byte> receive_reply(vhost::Request request);

    FileDescriptor socket_;
};

}  // namespace vrdma::test
