// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <thread>
#include <vector>

#include "file_descriptor.h"
#include "vhost/protocol/vhost_user.h"

namespace vrdma::test {

// The VMM's range of a shared memory region: addresses that are reserved, and into which
// files are mapped on request.
class FakeShm {
  public:
    // `holes` are the rights of what is not mapped, PROT_*.
    explicit FakeShm(uint64_t size, int holes = PROT_NONE);
    ~FakeShm();
    FakeShm(const FakeShm&) = delete;
    FakeShm& operator=(const FakeShm&) = delete;

    // Map and unmap as the VMM does; 0 or an errno.
    int map(const vhost::ShmemMapping& mapping, int fd);
    int unmap(const vhost::ShmemMapping& mapping);

    // The region as a guest sees it; readable only where something is mapped.  Pairs with map()
    // and unmap(), which may have happened on another thread.
    std::byte* data() const {
        changes_.load(std::memory_order_acquire);
        return data_;
    }
    uint64_t size() const { return size_; }

  private:
    bool valid(const vhost::ShmemMapping& mapping) const;

    std::byte* data_;
    uint64_t size_;
    int holes_;
    std::atomic<unsigned> changes_ = 0;
};

// The VMM's end of the channel for back-end requests.  Either serve() answers by itself on
// a thread, or the test receives and answers one by one.
class FakeBackendRequests {
  public:
    struct Request {
        vhost::VuHeader header;
        vhost::ShmemMapping mapping;
        std::vector<FileDescriptor> fds;

        vhost::BackendRequest type() const {
            return static_cast<vhost::BackendRequest>(header.request);
        }
    };

    explicit FakeBackendRequests(FileDescriptor socket) : socket_(std::move(socket)) {}

    // Ends the thread.
    ~FakeBackendRequests();
    FakeBackendRequests(const FakeBackendRequests&) = delete;
    FakeBackendRequests& operator=(const FakeBackendRequests&) = delete;

    // Carries requests out in `shm`, on a thread of its own.
    void serve(FakeShm& shm);

    // So much of what serve() carries out from now on is answered, and the rest after release().
    void hold_after(unsigned answered) {
        left_.store(answered);
        held_.store(true);
    }
    void release() {
        held_.store(false);
        held_.notify_all();
    }
    // Whether an answer is held back.
    bool holds() const { return holds_.load(); }

    // How many requests serve() has carried out.
    unsigned maps() const { return maps_; }
    unsigned unmaps() const { return unmaps_; }
    unsigned config_changes() const { return config_changes_; }

    // Waits for a request; throws when the peer has gone.
    Request receive();
    void reply(const Request& request, uint64_t value);

    int fd() const { return socket_.get(); }

  private:
    void answer_until_closed(FakeShm& shm);

    FileDescriptor socket_;
    std::thread thread_;
    std::atomic<bool> held_ = false;
    std::atomic<unsigned> left_ = 0;
    std::atomic<bool> holds_ = false;
    std::atomic<unsigned> maps_ = 0;
    std::atomic<unsigned> unmaps_ = 0;
    std::atomic<unsigned> config_changes_ = 0;
};

}  // namespace vrdma::test
