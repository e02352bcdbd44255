// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "vhost/protocol/message.h"
#include "vhost/protocol/vhost_user.h"

namespace vrdma::vhost {

class Connection;

// Why a message was not carried out, and what becomes of it.
struct Refusal {
    enum class Answer {
        kFailure,  // a failure, if the VMM asked for an answer
        kEmpty,    // a reply without payload (GET_CONFIG)
        kClose,    // none: the connection ends
    };
    std::string what;
    Answer answer = Answer::kFailure;
};

// The reply's payload; empty for a message that has none but can be acknowledged.
using Outcome = tl::expected<std::vector<std::byte>, Refusal>;

// What there is to know about a message before it is looked into.
struct MessageType {
    Request request;
    const char* name;
    size_t min_size;
    size_t max_size;
    size_t min_fds;
    size_t max_fds;
    Outcome (*handle)(Connection& connection, Message& message);
};

// Null for a message that this back-end does not have.
const MessageType* find_message_type(uint32_t request);

}  // namespace vrdma::vhost
