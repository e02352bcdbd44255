// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The RDMA connection manager's user interface, <rdma/rdma_user_cm.h>, as guests see it.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>

#include "result.h"

namespace vrdma::state {
class FilesToSend;
class UcmaFile;
}  // namespace vrdma::state

namespace vrdma::rnic {

struct UcmaAnswer {
    size_t written = 0;        // bytes of the response
    bool more_events = false;  // GET_EVENT: there is another one
};

// One open file of the interface.  Destroying it ends all that was made through it.  One
// thread at a time, as with the verbs of the port.
class UcmaFile {
  public:
    virtual ~UcmaFile() = default;

    // Executes a command, RDMA_USER_CM_CMD_*, whose structure is `in`; pointers in it mean
    // nothing, and SET_OPTION's value is behind it.  The response goes to `out`.  MIGRATE_ID:
    // `other`, a file of the same port, is where the id is now.  Does not wait: EAGAIN when
    // there is no event to get.
    virtual Result<UcmaAnswer> execute(uint32_t command, std::span<const std::byte> in,
                                       std::span<std::byte> out, UcmaFile* other) = 0;

    // Writes what a successor needs to go on with the file.  EOPNOTSUPP when it cannot.
    virtual Result<void> save(state::UcmaFile&, state::FilesToSend&) const {
        return fail(EOPNOTSUPP);
    }
};

struct UcmaFileInit {
    // The guest's name of the file: AsyncEventType::kUcma carries it when there is an event to
    // get, and again only after GET_EVENT has left none.
    uint32_t handle = 0;
    // The index of the guest's RDMA device, for answers.
    uint32_t ibdev_index = 0;
    uint64_t node_guid = 0;  // host byte order
};

}  // namespace vrdma::rnic
