// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

namespace vrdma::daemon {

// Gives up, for good, every capability of this process but those that decide over files, of which
// the sockets of a daemon that root started are made.  Called before any thread exists and before a
// file of /dev/infiniband is open: the kernel takes no command from a writer whose credentials are
// not those that the file was opened with (ib_safe_file_access()).  Throws std::system_error.
void keep_file_capabilities_only();

// Gives up all capabilities, for good.  Throws std::system_error.
void keep_no_capability();

}  // namespace vrdma::daemon
