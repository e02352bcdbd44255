// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstddef>
#include <cstdint>

#include "vhost/protocol/message.h"
#include "vhost/protocol/vhost_user.h"
#include "vhost/server/outcome.h"
#include "vhost/server/vmm_session.h"

namespace vrdma::vhost {

// All that is known about a kind of message before its payload is looked into.
struct MessageType {
    Request request;
    const char* name;
    size_t min_size;  // of the payload, bytes
    size_t max_size;
    size_t min_fds;
    size_t max_fds;
    Outcome (VmmSession::*handle)(Message& message);
};

// Null for a message that this back-end does not have.
const MessageType* find_message_type(uint32_t request);

}  // namespace vrdma::vhost
