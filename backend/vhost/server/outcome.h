// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstddef>
#include <string>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "result.h"

namespace vrdma::vhost {

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

inline Outcome done() {
    return std::vector<std::byte>();
}

template <typename T>
Outcome answer(const T& value) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&value);
    return std::vector<std::byte>(bytes, bytes + sizeof(T));
}

inline tl::unexpected<Refusal> refuse(std::string what) {
    return tl::unexpected(Refusal{std::move(what), Refusal::Answer::kFailure});
}

inline tl::unexpected<Refusal> malformed(std::string what) {
    return tl::unexpected(Refusal{std::move(what), Refusal::Answer::kClose});
}

inline Outcome outcome_of(const Result<void>& result) {
    if (!result) {
        return refuse(to_string(result.error()));
    }
    return done();
}

}  // namespace vrdma::vhost
