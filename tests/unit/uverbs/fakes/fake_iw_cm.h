// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The kernel's side of /dev/infiniband/rdma_cm for an iWARP RNIC, for tests.  It takes commands as
// ucma.c of Linux 6.1 does, and has a network in which everybody is there.
#pragma once

#include <rdma/rdma_user_cm.h>

#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "file_descriptor.h"
#include "rnic/uverbs/kernel/rdma_cm.h"

namespace vrdma::uverbs {

class FakeIwCm {
  public:
    FakeIwCm();
    std::unique_ptr<RdmaCmFile> file();

    // The last command of this kind.
    template <typename Request>
    Request last(uint32_t command) const {
        const std::lock_guard lock(mutex_);
        Request request{};
        const auto& bytes = executed_.at(command).back();
        std::memcpy(&request, bytes.data(), std::min(sizeof(request), bytes.size()));
        return request;
    }
    size_t count(uint32_t command) const;
    // Blocks until there have been so many commands.  Returns false after half a minute.
    bool wait_for(uint32_t command, size_t count);
    size_t live_ids() const;
    uint64_t uid_of(uint32_t id) const;

    // The next such command fails.
    void refuse(uint32_t command, int error);

    // Reports an event of an id (of a listener for requests), with status and private data.
    void report(uint32_t event, uint32_t id, int status = 0, std::vector<uint8_t> data = {});
    // Returns the id of the request.
    uint32_t request(uint32_t listener, std::vector<uint8_t> data = {});

    // Runs in CONNECT; its result is the command's.
    std::function<int()> during_connect;

  private:
    class File;

    Result<void> execute(std::span<const std::byte> command);
    int handle(uint32_t command, std::span<const std::byte> request);
    void push(uint32_t event, uint64_t uid, uint32_t id, int status,
              const std::vector<uint8_t>& data);

    FileDescriptor readable_;
    mutable std::mutex mutex_;  // guards the members that follow
    std::condition_variable changed_;
    std::map<uint32_t, uint64_t> ids_;  // with their uids
    std::map<uint32_t, std::vector<std::vector<std::byte>>> executed_;
    std::map<uint32_t, int> refusals_;
    std::deque<rdma_ucm_event_resp> events_;
    uint32_t next_id_ = 50;
};

}  // namespace vrdma::uverbs
