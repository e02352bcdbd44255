// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// How a guest-driven path answers: a value or an errno, never an exception.
#pragma once

#include <cerrno>
#include <cstring>
#include <string>
#include <tl/expected.hpp>

namespace vrdma {

// A positive errno value (EINVAL, ENOMEM, ...), kept apart from plain integers.
enum class Errno : int {};

template <typename T>
using Result = tl::expected<T, Errno>;

// `return fail(EINVAL);` from a function that returns a Result.
inline tl::unexpected<Errno> fail(int error) {
    return tl::unexpected<Errno>(Errno{error});
}

inline tl::unexpected<Errno> fail(Errno error) {
    return tl::unexpected<Errno>(error);
}

// The errno as the integer that goes on the wire.
inline int to_int(Errno error) {
    return static_cast<int>(error);
}

inline std::string to_string(Errno error) {
    return ::strerror(to_int(error));
}

}  // namespace vrdma
