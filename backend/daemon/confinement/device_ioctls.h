// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

namespace vrdma::daemon {

// Gives up ioctl(2) on the devices that this process opens from now on, which Linux 6.10 and later
// can do (Landlock).  The kernel ties the right to the open file: who is given such a file, as QEMU
// is given those of an RNIC to map queues from, has no ioctl on it either.  This process itself
// issues verbs by write(2), which the kernel refuses to all but the credentials that opened the
// file.
//
// Changes the credentials of the calling thread, which therefore is the only one so far, and has
// opened no RNIC yet.  Returns false where the kernel cannot do it.
bool give_up_device_ioctls();

}  // namespace vrdma::daemon
