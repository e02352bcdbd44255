// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstring>

#include "rnic/rnic.h"

namespace vrdma::embedded {

// Whether udata has room for an answer of type T.
template <typename T>
bool has_room(const rnic::Udata& udata) {
    return udata.out.size() >= sizeof(T);
}

// Writes the answer; has_room<T>() only.
template <typename T>
void answer(rnic::Udata& udata, const T& response) {
    std::memcpy(udata.out.data(), &response, sizeof(response));
    udata.out_written = sizeof(response);
}

}  // namespace vrdma::embedded
