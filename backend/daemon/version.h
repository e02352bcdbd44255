// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

namespace vrdma::daemon {

// The version of this vrdmad.  A function of its own file, so that the tests can link a vrdmad with
// another version, which takes guests over.
const char* version();

}  // namespace vrdma::daemon
